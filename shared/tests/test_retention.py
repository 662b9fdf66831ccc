"""Purges are bounded, are done by one process at a time, and leave nothing half done when a process dies in
one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from shared.db import Database
from shared.idempotency import IDEMPOTENCY_SQL
from shared.metrics import Metrics
from shared.retention import Purge, Retention, old_rows_sql, purge_by_age, purge_idempotency_keys
from sqlalchemy import text

OLD, FRESH = 2_345, 7
_STATEMENT = old_rows_sql("thing", key="id", column="at")
_FILL = """
CREATE TABLE thing (id int PRIMARY KEY, at timestamptz NOT NULL);
CREATE INDEX ix_thing_at ON thing (at);
CREATE TABLE deletion (at timestamptz NOT NULL, pid int NOT NULL, rows bigint NOT NULL);
CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deletion SELECT clock_timestamp(), pg_backend_pid(), count(*) FROM gone;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER DELETE ON thing REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION
note_deletion();
"""


@pytest.fixture
async def url(postgres: Any) -> str:
    """A database with old things and fresh ones."""
    url = postgres.empty_database()
    connection = await asyncpg.connect(url)
    await connection.execute(_FILL + IDEMPOTENCY_SQL)
    await connection.execute(
        f"INSERT INTO thing SELECT n, now() - CASE WHEN n <= {OLD} THEN interval '800 days' ELSE interval "
        "'1 day' END"
        f" FROM generate_series(1, {OLD + FRESH}) AS n"
    )
    await connection.close()
    return url


@pytest.fixture
async def databases(url: str) -> AsyncIterator[list[Database]]:
    """Two processes' worth."""
    made = [Database(url, schema="public") for _ in range(2)]
    yield made
    for database in made:
        await database.dispose()


def things(database: Database, *, rows_max: int = 1_000) -> Purge:
    return purge_by_age(database, "thing", _STATEMENT, keep=timedelta(days=30), rows_max=rows_max)


def retention(*purges: Purge) -> Retention:
    return Retention(purges, Metrics(service="test"), schema="test")


async def left(url: str, sql: str = "SELECT id FROM thing ORDER BY id") -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


KEPT = list(range(OLD + 1, OLD + FRESH + 1))


async def test_a_purge_deletes_in_batches_until_nothing_old_is_left(
    url: str, databases: list[Database]
) -> None:
    metrics = Metrics(service="test")
    assert await Retention([things(databases[0])], metrics, schema="test").run() == {"thing": OLD}
    assert await left(url) == KEPT
    assert await left(url, "SELECT rows FROM deletion ORDER BY at") == [1000, 1000, 345]
    assert f'atrium_test_purged_rows_total{{table="thing"}} {OLD}.0' in metrics.render().decode()


async def test_processes_that_purge_at_once_delete_each_row_once(url: str, databases: list[Database]) -> None:
    purges = [things(database, rows_max=50) for database in databases]
    removed = [0, 0]

    async def work(place: int) -> None:
        while await left(url, "SELECT 1 FROM thing WHERE at < now() - interval '30 days' LIMIT 1"):
            removed[place] += await purges[place].batch()

    await asyncio.wait_for(asyncio.gather(work(0), work(1)), 60)
    assert sum(removed) == OLD
    assert await left(url) == KEPT
    assert await left(url, "SELECT max(rows) FROM deletion") == [50]


async def test_while_one_process_purges_another_does_not_wait_for_it(
    url: str, databases: list[Database]
) -> None:
    async with databases[0].transaction() as session:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('purge:' || current_schema() || ':' || 'thing'))")
        )
        assert await asyncio.wait_for(retention(things(databases[1])).run(), 20) == {}
    assert await retention(things(databases[1])).run() == {"thing": OLD}


async def test_a_process_that_dies_in_a_batch_has_deleted_nothing_of_it(
    url: str, databases: list[Database]
) -> None:
    await things(databases[0], rows_max=100).batch()
    # The second batch is stopped before it can commit, and its process is ended there.
    holder = await asyncpg.connect(url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE deletion IN EXCLUSIVE MODE")
    dying = asyncio.ensure_future(things(databases[0], rows_max=100).batch())
    blocked = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while True:
            if pids := await left(url, blocked):
                break
            await asyncio.sleep(0.02)
    await left(url, f"SELECT pg_terminate_backend({pids[0]})")
    with pytest.raises(Exception, match=r"terminat|closed"):
        await dying
    await transaction.rollback()
    await holder.close()
    assert len(await left(url)) == OLD - 100 + FRESH
    assert await retention(things(databases[1])).run() == {"thing": OLD - 100}
    assert await left(url) == KEPT


async def test_a_purge_that_fails_does_not_hold_up_the_others(
    url: str, databases: list[Database], caplog: pytest.LogCaptureFixture
) -> None:
    wrong = purge_by_age(
        databases[0],
        "nothing",
        "SELECT count(*) FROM nothing WHERE :keep IS NULL OR :rows_max = 0",
        keep=timedelta(1),
    )
    with caplog.at_level(logging.ERROR):
        assert await retention(wrong, things(databases[0])).run() == {"thing": OLD}
    assert "a purge failed" in caplog.text
    assert await left(url) == KEPT


async def test_keys_of_repeated_writes_end_after_a_day(url: str, databases: list[Database]) -> None:
    async with databases[0].transaction() as session:
        for key, age in (("old", "25 hours"), ("fresh", "23 hours")):
            await session.execute(
                text(
                    "INSERT INTO idempotency_key (principal, method, route, key, body_hash, created_at)"
                    f" VALUES ('p', 'POST', '/x', '{key}', '', now() - interval '{age}')"
                )
            )
    assert await retention(purge_idempotency_keys(databases[0])).run() == {"idempotency_key": 1}
    assert await left(url, "SELECT key FROM idempotency_key") == ["fresh"]
