"""What GET /ledger/entries shows."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel
from shared.money import Money

from billing_service.ledger.models import EntryRow


class LedgerEntry(BaseModel):
    """One transfer: `amount_nano` left the debit account and reached the credit account. Entries never change."""

    id: UUID
    at: datetime
    debit: str
    credit: str
    debit_account: UUID
    credit_account: UUID
    amount_nano: int
    amount: Money
    reason: str
    transaction_id: str

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        return cls(
            id=row.id,
            at=row.at,
            debit=row.debit,
            credit=row.credit,
            debit_account=row.debit_account,
            credit_account=row.credit_account,
            amount_nano=row.amount_nano,
            amount=Money.of_nano(row.amount_nano),
            reason=row.reason,
            transaction_id=row.transaction_id,
        )
