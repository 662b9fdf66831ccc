"""The tables of runs. What models and tools wrote is JSON in text columns: jsonb refuses some of what they
write.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db import Base
from sqlalchemy import BigInteger, DateTime, LargeBinary, Text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column


class RunRow(Base):
    """One run. `spec` is a runs.spec.RunSpec; `owner` is the process that may write for it; `error` a
    MessageError.

    `cancel_requested`: it is to end; with `end_reason` (a shared.access.EndReason) because its person or key
    may no longer run anything. `left_out` is a LeftOutEventData as JSON: what the model did not see of the
    conversation. `of_chat`: it wrote a reply, and stays as long as its chat. `events_kept`: none of its
    events was purged yet.
    """

    __tablename__ = "run"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    team_id: Mapped[UUID]
    user_id: Mapped[UUID]
    principal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    agent_id: Mapped[UUID]
    agent_name: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    spec: Mapped[str] = mapped_column(Text)
    input: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    output: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    cancel_requested: Mapped[bool]
    approval_wait_ms: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[UUID | None]
    end_reason: Mapped[str | None] = mapped_column(Text)
    finish_reason: Mapped[str | None] = mapped_column(Text)
    left_out: Mapped[str | None] = mapped_column(Text)
    of_chat: Mapped[bool] = mapped_column(server_default=true())
    events_kept: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class StepRow(Base):
    """One attempt of one step. `outcome` is set when it ended: what the workflow does next, so that a step
    ends once.

    A model step has `content`, `reasoning` and `calls` (its text, what it thought and the tool calls it
    made), a tool step `call_id`, `arguments` and `result`.
    """

    __tablename__ = "run_step"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    call_id: Mapped[str | None] = mapped_column(Text)
    arguments: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    reasoning: Mapped[str] = mapped_column(Text)
    finish_reason: Mapped[str | None] = mapped_column(Text)
    calls: Mapped[str] = mapped_column(Text)
    citations: Mapped[str] = mapped_column(Text)
    files: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str | None] = mapped_column(Text)
    decision: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dispatch_id: Mapped[str | None] = mapped_column(Text)
    prompt_tokens: Mapped[int | None] = mapped_column(BigInteger)
    completion_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost_nano: Mapped[int | None] = mapped_column(BigInteger)
    remaining_nano: Mapped[int | None] = mapped_column(BigInteger)
    cost_pending: Mapped[bool]
    cost_checks: Mapped[int]
    cost_check_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)


class EventRow(Base):
    """One event: 1, 2, 3 ... within its run, `data` as JSON. Append-only."""

    __tablename__ = "run_event"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    data: Mapped[str] = mapped_column(Text)


class FileRow(Base):
    """A file a tool of the run made."""

    __tablename__ = "run_file"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)
