"""SQL about starting and stopping turns."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.db import Base
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.streams.signals import STOP_CHANNEL
from chat_service.writing.models import TurnRow

# Built once: to build a statement and its cache key takes longer than to run it, and every turn runs these.
_TABLE = Base.metadata.tables[TurnRow.__tablename__]
_LOCK_PERSON = text("SELECT pg_advisory_xact_lock(hashtextextended('turns:' || CAST(:user_id AS text), 0))")
_COUNT_RUNNING = text(
    "SELECT count(*) FROM (SELECT FROM turn WHERE user_id = :user_id AND status = 'running' LIMIT :limit) "
    "AS running"
)
_ADD = insert(_TABLE).values(
    status="running",
    guarded=True,
    lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("lease_s")),
)


async def count_running(session: AsyncSession, *, user_id: UUID, limit: int) -> int:
    """The person's running turns, counted up to `limit`, under a lock that makes two posts at once count one
    after the other.
    """
    await session.execute(_LOCK_PERSON, {"user_id": str(user_id)})
    return (await session.execute(_COUNT_RUNNING, {"user_id": user_id, "limit": limit})).scalar_one()


async def add(session: AsyncSession, values: dict[str, Any], *, lease_s: float) -> None:
    await session.execute(_ADD, {"lease_s": lease_s, **values})


async def request_stop(session: AsyncSession, *, turn_id: UUID) -> bool:
    """Ask the owner, whichever process that is; also seen at its next heartbeat. Whether the turn has a run
    to cancel.
    """
    statement = update(TurnRow).where(
        TurnRow.id == turn_id, TurnRow.status == "running", ~TurnRow.stop_requested
    )
    statement = (
        statement.values(stop_requested=True)
        .returning(TurnRow.kind)
        .execution_options(synchronize_session=False)
    )
    kind = (await session.execute(statement)).scalar_one_or_none()
    await session.execute(select(func.pg_notify(STOP_CHANNEL, str(turn_id))))
    return kind == "agent"


async def running_runs(session: AsyncSession, *, chat_id: UUID) -> Sequence[UUID]:
    """Ids of the runs that write replies of the chat."""
    query = select(TurnRow.message_id).where(
        TurnRow.chat_id == chat_id, TurnRow.status == "running", TurnRow.kind == "agent"
    )
    return (await session.execute(query)).scalars().all()
