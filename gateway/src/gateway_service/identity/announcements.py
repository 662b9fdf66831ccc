"""Tells the other services who lost access: at once, and again and again for those that were away."""

import asyncio
from datetime import timedelta

import orjson
from shared.access import ACCESS_CHANNEL
from shared.clock import utc_now
from shared.db import Database
from shared.ids import uuid7_floor
from shared.outbox import OutboxEvent, Relay, publish_on
from shared.wakeups import set_within
from sqlalchemy import text

AGAIN_S = 5.0
_LOOK_S = 1.0
_KEPT = timedelta(hours=24)
_ANNOUNCED_MAX = 1_000
_BATCH_MAX = 100

_LOCK_SQL = text("SELECT pg_try_advisory_xact_lock(hashtext('announcements:' || current_schema()))")
# Only what still holds is said again: nobody ends the work of a person who is active again, and of two roles
# only the one they have now counts. A deletion is said for as long as its row is kept, longer than the day:
# what it asks for may not be missed.
_STILL_TRUE_SQL = text("""
SELECT id, topic, key, payload::text AS payload, created_at FROM (
    SELECT DISTINCT ON (o.topic, o.key) o.id, o.topic, o.key, o.payload, o.created_at
    FROM outbox o
    LEFT JOIN user_account u ON o.topic LIKE 'account.%' AND u.id = CAST(o.payload ->> 'user_id' AS uuid)
    LEFT JOIN api_key k ON o.topic = 'key.revoked' AND k.id = CAST(o.payload ->> 'key_id' AS uuid)
    WHERE (o.id >= :since OR o.topic = 'account.deleted') AND o.published_at IS NOT NULL AND (
        (o.topic = 'account.deleted' AND u.id IS NULL)
        OR (o.topic = 'account.suspended' AND u.status = 'suspended')
        OR (o.topic = 'account.role_changed' AND u.role = o.payload ->> 'role')
        OR (o.topic = 'key.revoked' AND k.revoked_at IS NOT NULL)
    )
    ORDER BY o.topic, o.key, o.id DESC
) AS latest ORDER BY id DESC LIMIT :n
""")


class Announcements:
    """The way out of the gateway's outbox. Any number of processes may have one; each job is done by one of
    them at a time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._publish = publish_on(ACCESS_CHANNEL)
        self._relay = Relay(database, self._publish)
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Something was committed; it leaves now."""
        self._due.set()

    async def relay(self) -> None:
        """Waits for a wake or a second, then publishes what is there. To be called again and again."""
        await set_within(self._due, _LOOK_S)
        self._due.clear()
        await self._relay.drain()

    async def repeat(self) -> int:
        """Says again what of the last day still holds, and every deletion that is kept; returns how much."""
        since = uuid7_floor(utc_now() - _KEPT)
        async with self._database.transaction() as db:
            if not await db.scalar(_LOCK_SQL):
                return 0
            rows = (await db.execute(_STILL_TRUE_SQL, {"since": since, "n": _ANNOUNCED_MAX})).all()
            events = [
                OutboxEvent(row.id, row.topic, row.key, orjson.loads(row.payload), row.created_at)
                for row in reversed(rows)
            ]
            for start in range(0, len(events), _BATCH_MAX):
                await self._publish(db, events[start : start + _BATCH_MAX])
        return len(events)
