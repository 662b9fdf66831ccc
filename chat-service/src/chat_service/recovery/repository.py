"""SQL about turns that nobody writes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.streams.signals import OWNER_KEY_SQL
from chat_service.writing.models import TurnKind, TurnRow
from chat_service.writing.repository import lease_until

_OWNER_GONE = f"""
turn.guarded AND NOT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = (SELECT oid FROM pg_database
    WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = {OWNER_KEY_SQL.format(owner="turn.owner")}
)
"""  # noqa: S608 - the key is a constant


async def lock_orphan(
    session: AsyncSession,
    *,
    kinds: Sequence[TurnKind],
    besides: Sequence[UUID],
    lease_s: float,
    silent_s: float,
) -> TurnRow | None:
    """A running turn that nobody writes, locked; those in `besides`, and those that someone else is ending,
    are left out.

    Its lease ended; or its owner's lock is free and no heartbeat came for `silent_s`. Either alone would do,
    were it not for an owner that has to connect again: its lock is free for a moment, but its heartbeats go
    on.
    """
    silent = TurnRow.lease_until < func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s - silent_s)
    orphan = or_(TurnRow.lease_until < func.now(), silent & text(_OWNER_GONE))
    query = select(TurnRow).where(TurnRow.status == "running", TurnRow.kind.in_(kinds), orphan)
    query = query.where(TurnRow.id.not_in(besides) if besides else true())
    return (await session.execute(query.limit(1).with_for_update(skip_locked=True))).scalar_one_or_none()


async def take_over(session: AsyncSession, *, turn_id: UUID, owner: str, lease_s: float) -> None:
    """A locked turn is `owner`'s from now on: nobody else can write to its journal any more."""
    await session.execute(
        update(TurnRow)
        .where(TurnRow.id == turn_id)
        .values(owner=owner, guarded=True, lease_until=lease_until(lease_s))
    )
