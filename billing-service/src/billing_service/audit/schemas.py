"""What GET /audit shows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Json


class AuditEntry(BaseModel):
    """Who changed what, from what to what."""

    id: UUID
    at: datetime
    actor_id: UUID | None
    action: str
    object_id: str
    before: Json[dict[str, Any]] | None
    after: Json[dict[str, Any]] | None
