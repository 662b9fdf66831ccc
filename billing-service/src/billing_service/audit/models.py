"""One change somebody made to a price, a budget or a wallet."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

AuditAction = Literal["price.set", "budget.set", "budget.deleted", "wallet.topped_up", "usage.recorded"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: UUID
    at: datetime
    organisation_id: UUID | None
    actor_id: UUID | None
    action: AuditAction
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
