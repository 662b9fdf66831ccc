"""Wire model of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class AuditInfo(BaseModel):
    """One administrative act."""

    id: UUID
    service: str = Field(description="which service recorded it")
    actor_id: UUID | None = Field(description="absent: the operator at the command line")
    actor_key_id: UUID | None
    action: str
    target_type: str
    target_id: UUID = Field(
        description="name-based (version 5) for what has no UUID, such as a model; `detail.subject` names it"
    )
    detail: dict[str, Any]
    created_at: datetime
