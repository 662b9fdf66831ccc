"""The table of messages: one row a message, a tree by parent_id."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.chat import MessageStatus, Role
from shared.db import Base
from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column


class MessageRow(Base):
    """One message. A reply also knows its newest turn and which event ids that turn has; `stream_to` null: it
    runs.

    `branch_file_ids` stands on people's messages: the files attached to this one and those above it, newest
    first. `depth`: how many messages the branch has up to this one; null on those written before it was
    counted.
    """

    __tablename__ = "message"

    chat_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_id: Mapped[UUID | None]
    role: Mapped[Role] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    status: Mapped[MessageStatus] = mapped_column(Text)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    prompt_tokens: Mapped[int | None] = mapped_column(BigInteger)
    completion_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost_nano: Mapped[int | None] = mapped_column(BigInteger)
    remaining_nano: Mapped[int | None] = mapped_column(BigInteger)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    branch_file_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    citations: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    agent_id: Mapped[UUID | None]
    finish_reason: Mapped[str | None] = mapped_column(Text)
    reasoning: Mapped[str] = mapped_column(Text)
    left_out: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    depth: Mapped[int | None]
    turn_id: Mapped[UUID | None]
    stream_from: Mapped[int | None] = mapped_column(BigInteger)
    stream_to: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
