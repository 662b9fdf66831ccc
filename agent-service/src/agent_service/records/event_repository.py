"""All SQL about the events of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.records.models import EventRow


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event; `data` is JSON."""

    id: int
    event: str
    data: str


_ADD = """
INSERT INTO run_event (run_id, id, event, data)
SELECT :run_id, e.id, e.event, e.data
FROM unnest(CAST(:ids AS bigint[]), CAST(:events AS text[]), CAST(:data AS text[])) AS e (id, event, data)
ON CONFLICT DO NOTHING
"""


async def add(session: AsyncSession, run_id: UUID, events: Sequence[EventRecord]) -> None:
    """Adding the same events again is harmless: a write whose answer was lost is repeated."""
    if not events:
        return
    values = {
        "run_id": run_id,
        "ids": [event.id for event in events],
        "events": [event.event for event in events],
        "data": [event.data for event in events],
    }
    await session.execute(text(_ADD), values)


_READ_MANY = """
SELECT e.run_id, e.id, e.event, e.data
FROM unnest(CAST(:run_ids AS uuid[]), CAST(:after AS bigint[])) AS w (run_id, after)
CROSS JOIN LATERAL (
    SELECT * FROM run_event WHERE run_event.run_id = w.run_id AND run_event.id > w.after ORDER BY
    run_event.id LIMIT :limit
) AS e
ORDER BY e.run_id, e.id
"""


async def read_many(
    session: AsyncSession, after: Mapping[UUID, int], *, limit: int
) -> dict[UUID, list[EventRecord]]:
    """The events of several runs, of each those above its id, `limit` at most."""
    found: dict[UUID, list[EventRecord]] = {}
    values = {"run_ids": list(after), "after": list(after.values()), "limit": limit}
    for row in await session.execute(text(_READ_MANY), values):
        found.setdefault(row.run_id, []).append(EventRecord(row.id, row.event, row.data))
    return found


async def read(session: AsyncSession, run_id: UUID, *, after: int, limit: int) -> list[EventRecord]:
    query = (
        select(EventRow)
        .where(EventRow.run_id == run_id, EventRow.id > after)
        .order_by(EventRow.id)
        .limit(limit)
    )
    return [EventRecord(row.id, row.event, row.data) for row in (await session.execute(query)).scalars()]


async def last_ids(session: AsyncSession, run_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of the runs that have events."""
    query = (
        select(EventRow.run_id, func.max(EventRow.id))
        .where(EventRow.run_id.in_(run_ids))
        .group_by(EventRow.run_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}
