"""What GET /audit shows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class AuditEntry(BaseModel):
    """Who changed what, from what to what."""

    id: UUID
    at: datetime
    actor_id: UUID | None
    action: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
