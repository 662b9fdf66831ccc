"""The end of data: what is past its time is deleted in small batches, by one process at a time.
docs/retention.md names every table.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import outbox
from shared.background import Periodic
from shared.db import Database
from shared.idempotency import KEEP_HOURS
from shared.metrics import Metrics
from shared.outages import is_outage

INTERVAL_S = 3600.0
_FIRST_AFTER_S = 60.0  # at the start there is more urgent work, and what is past its time can wait
ROWS_MAX = 1_000
_WORKFLOWS_MAX = 100  # each brings further rows: one for each step and each message

# Held for one batch. A process that dies in it has deleted nothing, and no other waits for it.
_LOCK_SQL = text(
    "SELECT pg_try_advisory_xact_lock(hashtext('purge:' || current_schema() || ':' || CAST(:name AS text)))"
)

_ERASURES_KEPT = timedelta(days=30)
"""Longer than a deletion is announced."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Purge:
    """Something that ends by age. `batch` deletes up to `rows_max` of it and returns how many it deleted."""

    name: str
    batch: Callable[[], Awaitable[int]]
    rows_max: int = ROWS_MAX


class Workflows(Protocol):
    """What a purge needs of the durable engine, which two services have."""

    async def purge_finished(self, *, keep: timedelta, rows_max: int) -> int: ...


DeleteRows = Callable[[AsyncSession, int], Awaitable[int]]
"""Deletes rows in the caller's transaction, the second argument at most, and returns how many."""


def old_rows_sql(table: str, *, key: str, column: str, where: str = "true") -> str:
    """The statement of a purge: rows of `table` whose `column` lies longer back than `:keep`, the oldest
    first, `:rows_max` at most.

    `key` is what a row is found by, such as "id" or "principal, route". Rows must also meet `where`. An index
    on `column` finds them.
    """
    return f"""
WITH gone AS (
    DELETE FROM {table} WHERE ({key}) IN (
        SELECT {key} FROM {table} WHERE {where} AND {column} < now() - CAST(:keep AS interval)
        ORDER BY {column} LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""  # noqa: S608 - names written in our code


def purge_rows(database: Database, name: str, delete: DeleteRows, *, rows_max: int = ROWS_MAX) -> Purge:
    """A purge of rows, each batch in a transaction of its own. While another process is at it, it finds
    nothing to do.
    """

    async def batch() -> int:
        async with database.transaction() as session:
            if not (await session.execute(_LOCK_SQL, {"name": name})).scalar_one():
                return 0
            return await delete(session, rows_max)

    return Purge(name, batch, rows_max)


def purge_by_age(
    database: Database, name: str, statement: str, *, keep: timedelta, rows_max: int = ROWS_MAX
) -> Purge:
    """A purge by one statement over `:keep` (an interval) and `:rows_max`, which returns the number of
    deleted rows.
    """

    async def delete(session: AsyncSession, limit: int) -> int:
        return (await session.execute(text(statement), {"keep": keep, "rows_max": limit})).scalar_one()

    return purge_rows(database, name, delete, rows_max=rows_max)


_KEYS_SQL = old_rows_sql("idempotency_key", key="principal, method, route, key", column="created_at")
_ERASURES_SQL = old_rows_sql("erasure", key="user_id", column="done_at")


def purge_idempotency_keys(database: Database) -> Purge:
    """The keys of repeated writes, and the answers stored with them."""
    return purge_by_age(database, "idempotency_key", _KEYS_SQL, keep=timedelta(hours=KEEP_HOURS))


def purge_outbox(database: Database, *, keep: timedelta) -> Purge:
    """Delivered events; one that was not delivered yet stays until it is."""

    async def delete(session: AsyncSession, limit: int) -> int:
        return await outbox.purge(session, keep=keep, rows_max=limit)

    return purge_rows(database, "outbox", delete)


def purge_workflows(engine: Workflows, *, keep: timedelta) -> Purge:
    """Finished workflows. Two processes that delete the same ones do no harm."""

    async def batch() -> int:
        return await engine.purge_finished(keep=keep, rows_max=_WORKFLOWS_MAX)

    return Purge("workflow_status", batch, _WORKFLOWS_MAX)


def purge_erasures(database: Database) -> Purge:
    """The notes of accounts whose belongings are deleted."""
    return purge_by_age(database, "erasure", _ERASURES_SQL, keep=_ERASURES_KEPT)


class Retention:
    """The retention job of a service. Any number of processes may run it."""

    def __init__(self, purges: Sequence[Purge], metrics: Metrics, *, schema: str) -> None:
        self._purges = tuple(purges)
        self._turn = asyncio.Lock()
        self._removed = metrics.counter(
            f"{schema}_purged_rows", "Rows deleted because their time was over", ("table",)
        )

    def job(self) -> Periodic:
        """To be started and closed by the caller."""
        return Periodic("retention", INTERVAL_S, self.run, first_after_s=_FIRST_AFTER_S)

    async def run(self) -> dict[str, int]:
        """Delete everything that is past its time; how much of what. Waits for a run of this process that is
        under way.

        A purge that fails does not hold up the others.
        """
        removed: dict[str, int] = {}
        async with self._turn:
            for purge in self._purges:
                try:
                    await self._all(purge, removed)
                except Exception as error:
                    if is_outage(error):
                        raise
                    # The edge of a job: the other tables must stay bounded.
                    log.exception("a purge failed; it is tried again", extra={"table": purge.name})
        if removed:
            log.info("what was past its time is deleted", extra={"removed": removed})
        return removed

    async def _all(self, purge: Purge, removed: dict[str, int]) -> None:
        while count := await purge.batch():
            removed[purge.name] = removed.get(purge.name, 0) + count
            self._removed.labels(purge.name).inc(count)
            if count < purge.rows_max:
                return
