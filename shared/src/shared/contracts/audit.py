"""Wire model of acts that services record, which the gateway gathers in the one audit log. Additive only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class AuditRecorded(BaseModel):
    """The event `audit.recorded`: who changed what, from what to what. The same id is the same act.

    `subject` is what was changed, as its service names it: an id, or the name of a model. No `actor_id`: no
    person did it.
    """

    id: UUID
    organisation_id: UUID
    actor_id: UUID | None = None
    action: str
    subject: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    at: datetime
