"""What GET /ledger/entries shows."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from shared.money import MoneyOfNano


class LedgerEntry(BaseModel):
    """One transfer: `amount_nano` left the debit account and reached the credit account. Entries never
    change.
    """

    id: UUID
    at: datetime
    debit: str
    credit: str
    debit_account: UUID
    credit_account: UUID
    amount_nano: int
    amount: MoneyOfNano = Field(validation_alias="amount_nano")
    reason: str
    transaction_id: str
