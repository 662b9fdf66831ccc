"""SQL about what the agent-service must still be told."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.clock import utc_now
from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agent_runs.models import RunCancellationRow


async def add_cancellation(session: AsyncSession, *, run_id: UUID, principal: dict[str, Any]) -> None:
    """The run is to be cancelled from now on, until the row is removed."""
    values = {
        "run_id": run_id,
        "principal": principal,
        "tries": 0,
        "next_at": func.now(),
        "created_at": utc_now(),
    }
    again = {"tries": 0, "next_at": func.now()}
    await session.execute(
        upsert(RunCancellationRow)
        .values(**values)
        .on_conflict_do_update(index_elements=["run_id"], set_=again)
    )


_CLAIM_CANCELLATIONS = """
UPDATE run_cancellation SET tries = tries + 1, next_at = now() + make_interval(secs => least(60, 0.5 *
power(2, least(tries, 7))))
WHERE run_id IN (SELECT run_id FROM run_cancellation WHERE next_at <= now() ORDER BY next_at LIMIT :limit FOR
UPDATE SKIP LOCKED)
RETURNING run_id, principal, tries
"""


async def claim_cancellations(session: AsyncSession, *, limit: int) -> Sequence[tuple[UUID, dict[str, Any]]]:
    """Runs (and claims of their principals) to cancel now; each comes again later, with growing pauses, until
    it is removed.
    """
    rows = await session.execute(text(_CLAIM_CANCELLATIONS), {"limit": limit})
    return [(row.run_id, row.principal) for row in rows]


async def remove_cancellation(session: AsyncSession, *, run_id: UUID) -> None:
    await session.execute(delete(RunCancellationRow).where(RunCancellationRow.run_id == run_id))


async def deleted_chats(
    session: AsyncSession, *, topic: str, limit: int
) -> Sequence[tuple[UUID, dict[str, Any]]]:
    """Id and payload of the oldest outbox events of the topic that were not delivered yet."""
    query = text(
        "SELECT id, payload FROM outbox WHERE published_at IS NULL AND topic = :topic ORDER BY id LIMIT "
        ":limit"
    )
    return [(row.id, row.payload) for row in await session.execute(query, {"topic": topic, "limit": limit})]


async def mark_delivered(session: AsyncSession, *, event_id: UUID) -> None:
    await session.execute(text("UPDATE outbox SET published_at = now() WHERE id = :id"), {"id": event_id})


async def purge_cancellations(session: AsyncSession, *, wait_max_s: float) -> None:
    old = RunCancellationRow.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait_max_s)
    await session.execute(delete(RunCancellationRow).where(old))
