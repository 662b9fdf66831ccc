"""What was a person's ends with their account: noted when it is announced, then deleted in small batches
until nothing is left.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import AccessEnd, EndReason, EndWork
from shared.background import Periodic
from shared.db import Database

_LOOK_S = 5.0

ERASURE_SQL = """
CREATE TABLE erasure (
    user_id uuid PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz
);
CREATE INDEX ix_erasure_open ON erasure (requested_at) WHERE done_at IS NULL;
CREATE INDEX ix_erasure_done_at ON erasure (done_at) WHERE done_at IS NOT NULL;
"""

# To be told again means that more may have come: somebody with a token of before is still served for minutes.
_NOTE_SQL = text(
    "INSERT INTO erasure (user_id) VALUES (:user_id) ON CONFLICT (user_id) DO UPDATE SET done_at = NULL"
)
# Held for one batch, so that processes take different people and one that dies leaves its batch undone.
_NEXT_SQL = text(
    "SELECT user_id FROM erasure WHERE done_at IS NULL ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_DONE_SQL = text("UPDATE erasure SET done_at = now() WHERE user_id = :user_id")
_KEYS_SQL = """
WITH gone AS (DELETE FROM idempotency_key WHERE principal = CAST(:user_id AS text) RETURNING 1) SELECT
count(*) FROM gone
"""

log = logging.getLogger(__name__)

EraseBatch = Callable[[AsyncSession, UUID, int], Awaitable[int]]
"""Deletes what is left of a person's, at most so many, in the caller's transaction; returns how many."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """One kind of thing a person has; a batch of it is small where each takes many rows with it."""

    erase: EraseBatch
    rows_max: int = 1_000


def rows(statement: str, *, rows_max: int = 1_000) -> Belongings:
    """What one statement over `:user_id` and `:rows_max` deletes; it returns how many."""

    async def erase(session: AsyncSession, user_id: UUID, limit: int) -> int:
        values = {"user_id": user_id, "rows_max": limit}
        return (await session.execute(text(statement), values)).scalar_one()

    return Belongings(erase, rows_max)


def repeated_writes() -> Belongings:
    """The keys of repeated writes, of which a person has few."""

    async def erase(session: AsyncSession, user_id: UUID, _limit: int) -> int:
        return (await session.execute(text(_KEYS_SQL), {"user_id": str(user_id)})).scalar_one()

    return Belongings(erase)


class Erasures:
    """Deletes what people of deleted accounts had in this service. Any number of processes may have one."""

    def __init__(self, database: Database, belongings: Sequence[Belongings]) -> None:
        self._database = database
        self._belongings = tuple(belongings)

    def after(self, end_work: EndWork) -> EndWork:
        """For `access_subscriber`: notes deleted accounts, then ends the work of whoever lost access."""

        async def end(access: AccessEnd) -> None:
            await self.note(access)
            await end_work(access)

        return end

    async def note(self, access: AccessEnd) -> None:
        """Remember a deleted account, so that a restart does not forget it. To be told again looks again."""
        if access.reason is EndReason.ACCOUNT_DELETED:
            async with self._database.transaction() as session:
                await session.execute(_NOTE_SQL, {"user_id": access.user_id})

    def job(self) -> Periodic:
        """To be started and closed by the caller."""
        return Periodic("erasures", _LOOK_S, self.run)

    async def run(self) -> None:
        """Delete everything that is due."""
        while await self._batch():
            pass

    async def _batch(self) -> bool:
        """One batch of one person; False when nobody is due, or another process has them."""
        async with self._database.transaction() as session:
            user_id: UUID | None = (await session.execute(_NEXT_SQL)).scalar_one_or_none()
            if user_id is None:
                return False
            for one in self._belongings:
                if await one.erase(session, user_id, one.rows_max):
                    return True
            await session.execute(_DONE_SQL, {"user_id": user_id})
        log.info("what a deleted account had is deleted", extra={"user_id": str(user_id)})
        return True
