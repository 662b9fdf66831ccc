"""The queue of settlements in Postgres: claimed with a lease, so that several processes never deliver one row
at once. Its column `request_id` holds the dispatch.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg

Action = Literal["settle", "release"]

# A settlement replaces a release of the same hold: that something was used is the later and stronger
# knowledge.
_ENQUEUE = """
INSERT INTO pending_settlement (request_id, action, body) VALUES ($1, $2, $3)
ON CONFLICT (request_id) DO UPDATE SET action = excluded.action, body = excluded.body, next_attempt_at = now()
WHERE pending_settlement.action = 'release'
"""
_CLAIM = """
UPDATE pending_settlement SET attempts = attempts + 1, next_attempt_at = now() + $2::interval
WHERE request_id IN (
    SELECT request_id FROM pending_settlement WHERE refused IS NULL AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING request_id, action, body, attempts
"""
_DONE = "DELETE FROM pending_settlement WHERE request_id = $1"
_LATER = "UPDATE pending_settlement SET next_attempt_at = now() + $2::interval WHERE request_id = $1"
_REFUSE = "UPDATE pending_settlement SET refused = $2 WHERE request_id = $1"
_COUNT = "SELECT count(*) FROM pending_settlement WHERE refused IS NULL"


@dataclass(frozen=True, slots=True)
class Pending:
    """One call that billing still has to take; `body` is its JSON."""

    dispatch_id: UUID
    action: Action
    body: str
    attempts: int = 0


class SettlementQueue:
    """Each statement is its own transaction: nothing here waits for the network while a row is locked."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def enqueue(self, entry: Pending) -> None:
        await self._pool.execute(_ENQUEUE, entry.dispatch_id, entry.action, entry.body)

    async def claim(self, *, rows_max: int, lease: timedelta) -> list[Pending]:
        """Rows that are due, nobody else's for `lease`."""
        rows = await self._pool.fetch(_CLAIM, rows_max, lease)
        return [Pending(row["request_id"], row["action"], row["body"], row["attempts"]) for row in rows]

    async def done(self, dispatch_id: UUID) -> None:
        await self._pool.execute(_DONE, dispatch_id)

    async def later(self, dispatch_id: UUID, pause: timedelta) -> None:
        await self._pool.execute(_LATER, dispatch_id, pause)

    async def refuse(self, dispatch_id: UUID, reason: str) -> None:
        """Keep the row for an operator and stop trying."""
        await self._pool.execute(_REFUSE, dispatch_id, reason)

    async def waiting(self) -> int:
        return int(await self._pool.fetchval(_COUNT))
