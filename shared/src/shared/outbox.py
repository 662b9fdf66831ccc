"""Events that leave in the transaction that caused them; a relay publishes them afterwards, at least once, in
order per key.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import utc_now
from shared.db import Database
from shared.ids import uuid7, uuid7_floor

BATCH_MAX = 100
CHANNEL = "atrium_events"

OUTBOX_SQL = """
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX ix_outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
"""


# One relay at a time keeps the order of events; another replica's relay simply finds nothing to do.
_LOCK_SQL = "SELECT pg_try_advisory_xact_lock(hashtext('outbox:' || current_schema()))"
_BATCH_SQL = """
SELECT id, topic, key, payload::text AS payload, created_at FROM outbox
WHERE published_at IS NULL ORDER BY id LIMIT :n FOR UPDATE SKIP LOCKED
"""
# Ids grow with time, so the primary key finds the oldest.
_PURGE_SQL = """
WITH gone AS (
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE id < :before AND published_at IS NOT NULL ORDER BY id LIMIT :rows_max FOR
        UPDATE SKIP LOCKED)
    RETURNING 1)
SELECT count(*) FROM gone
"""
# One statement a batch: a statement an event cost more than the charge it announced.
_NOTIFY_SQL = (
    "SELECT count(pg_notify(:channel, m)) FROM unnest(CAST(:messages AS text[])) WITH ORDINALITY AS t (m, n)"
)
_MESSAGE_BYTES_MAX = 7_500  # PostgreSQL's limit is 8,000


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """One event as subscribers see it; `id` lets them ignore a repetition."""

    id: UUID
    topic: str
    key: str
    payload: dict[str, Any]
    created_at: datetime


Publish = Callable[[AsyncSession, Sequence[OutboxEvent]], Awaitable[None]]


async def append(session: AsyncSession, *, topic: str, key: str, payload: dict[str, Any]) -> UUID:
    """Add an event to the caller's transaction."""
    event_id = uuid7()
    await session.execute(
        text(
            "INSERT INTO outbox (id, topic, key, payload) VALUES (:id, :topic, :key, CAST(:payload AS jsonb))"
        ),
        {"id": event_id, "topic": topic, "key": key, "payload": orjson.dumps(payload, default=str).decode()},
    )
    return event_id


async def purge(session: AsyncSession, *, keep: timedelta, rows_max: int) -> int:
    """Delete events that were written longer ago than `keep` and are published, `rows_max` at most;
    how many.
    """
    values = {"before": uuid7_floor(utc_now() - keep), "rows_max": rows_max}
    return (await session.execute(text(_PURGE_SQL), values)).scalar_one()


def _message(event: OutboxEvent) -> str:
    message = orjson.dumps(
        {"id": event.id, "topic": event.topic, "key": event.key, "payload": event.payload}, default=str
    )
    if len(message) > _MESSAGE_BYTES_MAX:
        message = orjson.dumps({"id": event.id, "topic": event.topic, "key": event.key})
    return message.decode()


def publish_on(channel: str) -> Publish:
    """A publisher by PostgreSQL: NOTIFY on `channel` with each event, or with its id alone when it is too
    large for NOTIFY.
    """

    async def publish(session: AsyncSession, events: Sequence[OutboxEvent]) -> None:
        await session.execute(
            text(_NOTIFY_SQL), {"channel": channel, "messages": [_message(event) for event in events]}
        )

    return publish


notify_listeners = publish_on(CHANNEL)


class Relay:
    """Publishes what is in the outbox, oldest first. Any number may run; one of them works at a time."""

    def __init__(self, database: Database, publish: Publish = notify_listeners) -> None:
        self._database = database
        self._publish = publish

    async def run_once(self) -> int:
        """Publish one batch; returns how many."""
        async with self._database.transaction() as session:
            if not (await session.execute(text(_LOCK_SQL))).scalar_one():
                return 0
            rows = (await session.execute(text(_BATCH_SQL), {"n": BATCH_MAX})).all()
            if rows:
                events = [
                    OutboxEvent(row.id, row.topic, row.key, orjson.loads(row.payload), row.created_at)
                    for row in rows
                ]
                await self._publish(session, events)
                await session.execute(
                    text("UPDATE outbox SET published_at = now() WHERE id = ANY(:ids)"),
                    {"ids": [row.id for row in rows]},
                )
            return len(rows)

    async def drain(self) -> None:
        """Publish until nothing is left."""
        while await self.run_once() == BATCH_MAX:
            pass
