"""The table of runs that must still end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db import Base
from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column


class RunCancellationRow(Base):
    """A run that is to end; the row goes when the agent-service has heard it."""

    __tablename__ = "run_cancellation"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    principal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
