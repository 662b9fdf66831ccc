"""All SQL about turns. Leases are measured by the database's clock only, so that processes need not agree on the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.clock import utc_now
from shared.db import Base
from sqlalchemy import bindparam, delete, func, insert, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.streams.signals import OWNER_KEY_SQL, STOP_CHANNEL
from chat_service.turns.models import RunCancellationRow, TurnKind, TurnRow


@dataclass(frozen=True, slots=True)
class CostCheck:
    """A turn whose cost is not known yet; `tokens_known`: its reply has the tokens already.

    A plain turn is known to billing by its `dispatch_id`; for a run, the agent-service is asked as `principal` (claims).
    """

    turn_id: UUID
    chat_id: UUID
    message_id: UUID
    dispatch_id: str | None
    principal: dict[str, Any] | None
    tokens_known: bool


def _lease(lease_s: float) -> Any:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s)


# Built once: to build a statement and its cache key takes longer than to run it, and every turn runs these.
_TABLE = Base.metadata.tables[TurnRow.__tablename__]
_LOCK_PERSON = text("SELECT pg_advisory_xact_lock(hashtextextended('turns:' || CAST(:user_id AS text), 0))")
_COUNT_RUNNING = text("SELECT count(*) FROM (SELECT FROM turn WHERE user_id = :user_id AND status = 'running' LIMIT :limit) AS running")
_ADD = insert(_TABLE).values(
    status="running", guarded=True, lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("lease_s"))
)
_NOTE_DISPATCHES = text("""
UPDATE turn SET dispatch_id = noted.dispatch_id
FROM unnest(CAST(:turn_ids AS uuid[]), CAST(:dispatch_ids AS text[])) AS noted (turn_id, dispatch_id)
WHERE turn.id = noted.turn_id AND turn.status = 'running'
""")
_END = text("""
UPDATE turn SET status = :status, dispatch_id = :dispatch_id, tokens_known = :tokens_known, cost_pending = :cost_pending,
    cost_check_at = CASE WHEN :cost_pending THEN now() END, ended_at = now()
WHERE id = :turn_id AND owner = :owner AND status = 'running' RETURNING id
""")


async def count_running(session: AsyncSession, *, user_id: UUID, limit: int) -> int:
    """The person's running turns, counted up to `limit`, under a lock that makes two posts at once count one after the other."""
    await session.execute(_LOCK_PERSON, {"user_id": str(user_id)})
    return (await session.execute(_COUNT_RUNNING, {"user_id": user_id, "limit": limit})).scalar_one()


async def add(session: AsyncSession, values: dict[str, Any], *, lease_s: float) -> None:
    await session.execute(_ADD, {"lease_s": lease_s, **values})


async def get(session: AsyncSession, *, turn_id: UUID) -> TurnRow | None:
    return await session.get(TurnRow, turn_id, populate_existing=True)


async def request_stop(session: AsyncSession, *, turn_id: UUID) -> bool:
    """Ask the owner, whichever process that is; also seen at its next heartbeat. Whether the turn has a run to cancel."""
    statement = update(TurnRow).where(TurnRow.id == turn_id, TurnRow.status == "running", ~TurnRow.stop_requested)
    statement = statement.values(stop_requested=True).returning(TurnRow.kind).execution_options(synchronize_session=False)
    kind = (await session.execute(statement)).scalar_one_or_none()
    await session.execute(select(func.pg_notify(STOP_CHANNEL, str(turn_id))))
    return kind == "agent"


async def request_end(
    session: AsyncSession, *, user_id: UUID | None, key_id: UUID | None, kinds: Sequence[TurnKind], reason: str
) -> Sequence[UUID]:
    """Note on the running turns of a person, or of a key, that they must end; returns their ids."""
    whose = TurnRow.user_id == user_id if key_id is None else TurnRow.key_id == key_id
    statement = update(TurnRow).where(whose, TurnRow.status == "running", TurnRow.kind.in_(kinds)).values(end_reason=reason)
    statement = statement.returning(TurnRow.id).execution_options(synchronize_session=False)
    return (await session.execute(statement)).scalars().all()


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a turn: to stop, or to end for a reason."""

    stop: bool
    end_reason: str | None


async def renew(session: AsyncSession, *, turn_ids: Sequence[UUID], owner: str, lease_s: float) -> dict[UUID, Asked]:
    """Heartbeat of all turns of a process in one statement: the turns still owned, and what was asked of them."""
    statement = (
        update(TurnRow)
        .where(TurnRow.id.in_(turn_ids), TurnRow.owner == owner, TurnRow.status == "running")
        .values(lease_until=_lease(lease_s))
        .returning(TurnRow.id, TurnRow.stop_requested, TurnRow.end_reason)
        .execution_options(synchronize_session=False)
    )
    return {row.id: Asked(row.stop_requested, row.end_reason) for row in await session.execute(statement)}


async def note_dispatches(session: AsyncSession, noted: Mapping[UUID, str]) -> None:
    """Remember under which ids billing knows the turns, so that their costs are found even when this process dies."""
    await session.execute(_NOTE_DISPATCHES, {"turn_ids": list(noted), "dispatch_ids": list(noted.values())})


_OWNER_GONE = f"""
turn.guarded AND NOT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = {OWNER_KEY_SQL.format(owner="turn.owner")}
)
"""  # noqa: S608 - the key is a constant


async def lock_orphan(
    session: AsyncSession, *, kinds: Sequence[TurnKind], besides: Sequence[UUID], lease_s: float, silent_s: float
) -> TurnRow | None:
    """A running turn that nobody writes, locked; those in `besides`, and those that someone else is ending, are left out.

    Its lease ended; or its owner's lock is free and no heartbeat came for `silent_s`. Either alone would do, were it not for an
    owner that has to connect again: its lock is free for a moment, but its heartbeats go on.
    """
    silent = TurnRow.lease_until < func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s - silent_s)
    orphan = or_(TurnRow.lease_until < func.now(), silent & text(_OWNER_GONE))
    query = select(TurnRow).where(TurnRow.status == "running", TurnRow.kind.in_(kinds), orphan)
    query = query.where(TurnRow.id.not_in(besides) if besides else true())
    return (await session.execute(query.limit(1).with_for_update(skip_locked=True))).scalar_one_or_none()


async def take_over(session: AsyncSession, *, turn_id: UUID, owner: str, lease_s: float) -> None:
    """A locked turn is `owner`'s from now on: nobody else can write to its journal any more."""
    await session.execute(update(TurnRow).where(TurnRow.id == turn_id).values(owner=owner, guarded=True, lease_until=_lease(lease_s)))


async def release(session: AsyncSession, *, turn_id: UUID, owner: str) -> None:
    """Let another process take the turn over at once."""
    mine = (TurnRow.id == turn_id, TurnRow.owner == owner, TurnRow.status == "running")
    await session.execute(update(TurnRow).where(*mine).values(lease_until=func.now()))


async def running_runs(session: AsyncSession, *, chat_id: UUID) -> Sequence[UUID]:
    """Ids of the runs that write replies of the chat."""
    query = select(TurnRow.message_id).where(TurnRow.chat_id == chat_id, TurnRow.status == "running", TurnRow.kind == "agent")
    return (await session.execute(query)).scalars().all()


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
    """End a turn that still runs and is `owner`'s; False: someone else ended it, so nothing may be written for it."""
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
    -- A cut stream is known when its hold ends, half a minute later, or when inference is back: until then a look every few seconds.
    cost_check_at = now() + make_interval(
        secs => least(CASE WHEN ended_at > now() - interval '3 minutes' THEN 2 ELSE 60 END, 0.5 * power(2, least(cost_checks, 7)))
    )
WHERE id IN (
    SELECT id FROM turn WHERE cost_pending AND cost_check_at <= now() ORDER BY cost_check_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
RETURNING id, chat_id, message_id, dispatch_id, principal, tokens_known
"""


async def claim_cost_checks(session: AsyncSession, *, limit: int) -> Sequence[CostCheck]:
    """Turns whose cost is to be asked for now; each comes again later, with growing pauses, until it is settled."""
    rows = await session.execute(text(_CLAIM_COSTS), {"limit": limit})
    return [CostCheck(row.id, row.chat_id, row.message_id, row.dispatch_id, row.principal, row.tokens_known) for row in rows]


async def settle_cost(session: AsyncSession, *, turn_id: UUID) -> bool:
    """Whether the cost was still pending; it no longer is."""
    statement = update(TurnRow).where(TurnRow.id == turn_id, TurnRow.cost_pending).values(cost_pending=False).returning(TurnRow.id)
    return (await session.execute(statement.execution_options(synchronize_session=False))).first() is not None


async def give_up_costs(session: AsyncSession, *, wait_max_s: float) -> None:
    old = TurnRow.ended_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait_max_s)
    await session.execute(
        update(TurnRow).where(TurnRow.cost_pending, old).values(cost_pending=False).execution_options(synchronize_session=False)
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


async def add_cancellation(session: AsyncSession, *, run_id: UUID, principal: dict[str, Any]) -> None:
    """The run is to be cancelled from now on, until the row is removed."""
    values = {"run_id": run_id, "principal": principal, "tries": 0, "next_at": func.now(), "created_at": utc_now()}
    again = {"tries": 0, "next_at": func.now()}
    await session.execute(upsert(RunCancellationRow).values(**values).on_conflict_do_update(index_elements=["run_id"], set_=again))


_CLAIM_CANCELLATIONS = """
UPDATE run_cancellation SET tries = tries + 1, next_at = now() + make_interval(secs => least(60, 0.5 * power(2, least(tries, 7))))
WHERE run_id IN (SELECT run_id FROM run_cancellation WHERE next_at <= now() ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING run_id, principal, tries
"""


async def claim_cancellations(session: AsyncSession, *, limit: int) -> Sequence[tuple[UUID, dict[str, Any]]]:
    """Runs (and claims of their principals) to cancel now; each comes again later, with growing pauses, until it is removed."""
    rows = await session.execute(text(_CLAIM_CANCELLATIONS), {"limit": limit})
    return [(row.run_id, row.principal) for row in rows]


async def remove_cancellation(session: AsyncSession, *, run_id: UUID) -> None:
    await session.execute(delete(RunCancellationRow).where(RunCancellationRow.run_id == run_id))


async def deleted_chats(session: AsyncSession, *, topic: str, limit: int) -> Sequence[tuple[UUID, dict[str, Any]]]:
    """Id and payload of the oldest outbox events of the topic that were not delivered yet."""
    query = text("SELECT id, payload FROM outbox WHERE published_at IS NULL AND topic = :topic ORDER BY id LIMIT :limit")
    return [(row.id, row.payload) for row in await session.execute(query, {"topic": topic, "limit": limit})]


async def mark_delivered(session: AsyncSession, *, event_id: UUID) -> None:
    await session.execute(text("UPDATE outbox SET published_at = now() WHERE id = :id"), {"id": event_id})


async def give_up_cancellations(session: AsyncSession, *, wait_max_s: float) -> None:
    old = RunCancellationRow.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait_max_s)
    await session.execute(delete(RunCancellationRow).where(old))
