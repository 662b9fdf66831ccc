"""The table of administrative acts; rows are only ever added."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway_service.people.database import Base


class AuditEntry(Base):
    """Who did what to whom, as `service` recorded it. `actor_id` null: the operator at the command line."""

    __tablename__ = "audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(Text, server_default="gateway")
    organisation_id: Mapped[UUID]
    actor_id: Mapped[UUID | None]
    actor_key_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(Text)
    target_type: Mapped[str] = mapped_column(Text)
    target_id: Mapped[UUID]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
