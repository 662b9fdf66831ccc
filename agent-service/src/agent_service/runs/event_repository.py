"""All SQL about the events of runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.runs.models import EventRow


@dataclass(frozen=True, slots=True)
class Event:
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


async def add(session: AsyncSession, run_id: UUID, events: Sequence[Event]) -> None:
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


async def read(session: AsyncSession, run_id: UUID, *, after: int, limit: int) -> list[Event]:
    query = select(EventRow).where(EventRow.run_id == run_id, EventRow.id > after).order_by(EventRow.id).limit(limit)
    return [Event(row.id, row.event, row.data) for row in (await session.execute(query)).scalars()]


async def last_ids(session: AsyncSession, run_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of the runs that have events."""
    query = select(EventRow.run_id, func.max(EventRow.id)).where(EventRow.run_id.in_(run_ids)).group_by(EventRow.run_id)
    return {row[0]: row[1] for row in await session.execute(query)}
