"""SQL about turns that are written: leases, dispatches, ends, costs.

Leases are measured by the database's clock only, so that processes need not agree on the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.writing.models import TurnKind, TurnRow


@dataclass(frozen=True, slots=True)
class CostCheck:
    """A turn whose cost is not known yet; `tokens_known`: its reply has the tokens already.

    A plain turn is known to billing by its `dispatch_id`; for a run, the agent-service is asked as
    `principal` (claims).
    """

    turn_id: UUID
    chat_id: UUID
    message_id: UUID
    dispatch_id: str | None
    principal: dict[str, Any] | None
    tokens_known: bool


def lease_until(lease_s: float) -> Any:
    """The end of a lease that begins now."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s)


_NOTE_DISPATCHES = text("""
UPDATE turn SET dispatch_id = noted.dispatch_id
FROM unnest(CAST(:turn_ids AS uuid[]), CAST(:dispatch_ids AS text[])) AS noted (turn_id, dispatch_id)
WHERE turn.id = noted.turn_id AND turn.status = 'running'
""")
_END = text("""
UPDATE turn SET status = :status, dispatch_id = :dispatch_id, tokens_known = :tokens_known, cost_pending =
:cost_pending, cost_check_at = CASE WHEN :cost_pending THEN now() END, ended_at = now()
WHERE id = :turn_id AND owner = :owner AND status = 'running' RETURNING id
""")


async def get(session: AsyncSession, *, turn_id: UUID) -> TurnRow | None:
    return await session.get(TurnRow, turn_id, populate_existing=True)


async def request_end(
    session: AsyncSession,
    *,
    user_id: UUID | None,
    key_id: UUID | None,
    kinds: Sequence[TurnKind],
    reason: str,
) -> Sequence[UUID]:
    """Note on the running turns of a person, or of a key, that they must end; returns their ids."""
    whose = TurnRow.user_id == user_id if key_id is None else TurnRow.key_id == key_id
    statement = (
        update(TurnRow)
        .where(whose, TurnRow.status == "running", TurnRow.kind.in_(kinds))
        .values(end_reason=reason)
    )
    statement = statement.returning(TurnRow.id).execution_options(synchronize_session=False)
    return (await session.execute(statement)).scalars().all()


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a turn: to stop, or to end for a reason."""

    stop: bool
    end_reason: str | None


async def renew(
    session: AsyncSession, *, turn_ids: Sequence[UUID], owner: str, lease_s: float
) -> dict[UUID, Asked]:
    """Heartbeat of all turns of a process in one statement: the turns still owned, and what was asked of
    them.
    """
    statement = (
        update(TurnRow)
        .where(TurnRow.id.in_(turn_ids), TurnRow.owner == owner, TurnRow.status == "running")
        .values(lease_until=lease_until(lease_s))
        .returning(TurnRow.id, TurnRow.stop_requested, TurnRow.end_reason)
        .execution_options(synchronize_session=False)
    )
    return {row.id: Asked(row.stop_requested, row.end_reason) for row in await session.execute(statement)}


async def note_dispatches(session: AsyncSession, noted: Mapping[UUID, str]) -> None:
    """Remember under which ids billing knows the turns, so that their costs are found even when this process
    dies.
    """
    await session.execute(_NOTE_DISPATCHES, {"turn_ids": list(noted), "dispatch_ids": list(noted.values())})


async def release(session: AsyncSession, *, turn_id: UUID, owner: str) -> None:
    """Let another process take the turn over at once. It is nobody's until then, so that a heartbeat that
    waits for the row does not renew the lease.
    """
    mine = (TurnRow.id == turn_id, TurnRow.owner == owner, TurnRow.status == "running")
    await session.execute(update(TurnRow).where(*mine).values(owner="", lease_until=func.now()))


async def end(
    session: AsyncSession,
    *,
    turn_id: UUID,
    owner: str,
    status: str,
    dispatch_id: str | None,
    tokens_known: bool,
    cost_pending: bool,
) -> bool:
    """End a turn that still runs and is `owner`'s; False: someone else ended it, so nothing may be written
    for it.
    """
    values: dict[str, Any] = {
        "turn_id": turn_id,
        "owner": owner,
        "status": status,
        "dispatch_id": dispatch_id,
        "tokens_known": tokens_known,
        "cost_pending": cost_pending,
    }
    return (await session.execute(_END, values)).first() is not None


_CLAIM_COSTS = """
UPDATE turn SET cost_checks = cost_checks + 1,
    -- The cost of a stream that broke off is known when its hold ends, half a minute later, or when
    -- inference is back:
    -- until then a look every few seconds.
    cost_check_at = now() + make_interval(
        secs => least(CASE WHEN ended_at > now() - interval '3 minutes' THEN 2 ELSE 60 END, 0.5 * power(2,
        least(cost_checks, 7)))
    )
WHERE id IN (
    SELECT id FROM turn WHERE cost_pending AND cost_check_at <= now() ORDER BY cost_check_at LIMIT :limit FOR
    UPDATE SKIP LOCKED
)
RETURNING id, chat_id, message_id, dispatch_id, principal, tokens_known
"""


async def claim_cost_checks(session: AsyncSession, *, limit: int) -> Sequence[CostCheck]:
    """Turns whose cost is to be asked for now; each comes again later, with growing pauses, until it is
    settled.
    """
    rows = await session.execute(text(_CLAIM_COSTS), {"limit": limit})
    return [
        CostCheck(row.id, row.chat_id, row.message_id, row.dispatch_id, row.principal, row.tokens_known)
        for row in rows
    ]


async def settle_cost(session: AsyncSession, *, turn_id: UUID) -> bool:
    """Whether the cost was still pending; it no longer is."""
    statement = (
        update(TurnRow)
        .where(TurnRow.id == turn_id, TurnRow.cost_pending)
        .values(cost_pending=False)
        .returning(TurnRow.id)
    )
    return (await session.execute(statement.execution_options(synchronize_session=False))).first() is not None


async def drop_cost_checks(session: AsyncSession, *, wait_max_s: float) -> None:
    old = TurnRow.ended_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait_max_s)
    await session.execute(
        update(TurnRow)
        .where(TurnRow.cost_pending, old)
        .values(cost_pending=False)
        .execution_options(synchronize_session=False)
    )


_PURGE_JOURNAL = """
WITH old AS (
    SELECT id FROM turn WHERE journaled AND ended_at < now() - make_interval(secs => :retention_s)
    ORDER BY ended_at LIMIT :limit FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM journal WHERE turn_id IN (SELECT id FROM old)
)
UPDATE turn SET journaled = false WHERE id IN (SELECT id FROM old)
"""


async def purge_journal(session: AsyncSession, *, retention_s: float, limit: int) -> None:
    """Drop the journal of turns that ended long ago: their text is in the message."""
    await session.execute(text(_PURGE_JOURNAL), {"retention_s": retention_s, "limit": limit})
