"""A transfer of the ledger with the names of its two accounts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EntryRow:
    """`amount_nano` moved from `debit` to `credit`."""

    id: UUID
    at: datetime
    debit: str
    credit: str
    debit_account: UUID
    credit_account: UUID
    amount_nano: int
    reason: str
    transaction_id: str
