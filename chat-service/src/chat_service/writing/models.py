"""The table of turns: who writes a reply, until when that counts, what it cost."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.db import Base
from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

TurnKind = Literal["plain", "agent"]


class TurnRow(Base):
    """One run of the model for one reply. Running: `owner` holds it until `lease_until`, by the database's
    clock; a released turn has none (empty).

    `guarded`: the owner also holds an advisory lock while it lives (streams.signals). `end_reason`: why it
    must end beside a stop.

    A turn of kind `agent` relays the run with the id of its message. `principal` (claims) and `request` are
    what another process needs to take it over.
    """

    __tablename__ = "turn"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_id: Mapped[UUID]
    message_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    team_id: Mapped[UUID]
    user_id: Mapped[UUID]
    key_id: Mapped[UUID | None]
    kind: Mapped[TurnKind] = mapped_column(Text, default="plain")
    agent_id: Mapped[UUID | None]
    principal: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    request: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    model: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    lease_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    guarded: Mapped[bool] = mapped_column(default=False)
    stop_requested: Mapped[bool] = mapped_column(default=False)
    end_reason: Mapped[str | None] = mapped_column(Text)
    first_event_id: Mapped[int] = mapped_column(BigInteger)
    dispatch_id: Mapped[str | None] = mapped_column(Text)
    tokens_known: Mapped[bool] = mapped_column(default=False)
    cost_pending: Mapped[bool] = mapped_column(default=False)
    cost_checks: Mapped[int] = mapped_column(default=0)
    cost_check_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    journaled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
