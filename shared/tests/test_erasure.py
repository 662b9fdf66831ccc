"""A deleted account is remembered, and what was the person's is deleted batch by batch, whoever dies
meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from shared.access import AccessEnd, EndReason
from shared.db import Database
from shared.erasure import ERASURE_SQL, Erasures, repeated_writes, rows
from shared.idempotency import IDEMPOTENCY_SQL

_THINGS = "CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id uuid NOT NULL);"
_DELETE = """
WITH gone AS (
    DELETE FROM thing WHERE id IN (SELECT id FROM thing WHERE user_id = :user_id LIMIT :rows_max FOR UPDATE)
    RETURNING 1)
SELECT count(*) FROM gone
"""
GONE, OTHER = UUID(int=1), UUID(int=2)
THINGS = 95


@pytest.fixture
def url(postgres: Any) -> str:
    return postgres.empty_database()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    await connection.execute(_THINGS + ERASURE_SQL + IDEMPOTENCY_SQL)
    await fill(connection, THINGS)
    yield connection
    await connection.close()


async def fill(connection: asyncpg.Connection, count: int) -> None:
    for person in (GONE, OTHER):
        await connection.execute(
            "INSERT INTO thing (user_id) SELECT $1 FROM generate_series(1, $2)", person, count
        )
        await connection.execute(
            "INSERT INTO idempotency_key (principal, method, route, key, body_hash) VALUES ($1, 'POST', "
            "'/x', $2, '')",
            str(person),
            str(uuid4()),
        )


@pytest.fixture
async def processes(url: str) -> AsyncIterator[list[Erasures]]:
    databases = [Database(url, schema="public") for _ in range(2)]
    yield [Erasures(database, [rows(_DELETE, rows_max=10), repeated_writes()]) for database in databases]
    for database in databases:
        await database.dispose()


def deleted(person: UUID = GONE) -> AccessEnd:
    return AccessEnd(EndReason.ACCOUNT_DELETED, user_id=person)


async def left(connection: asyncpg.Connection, person: UUID) -> tuple[int, int]:
    things = await connection.fetchval("SELECT count(*) FROM thing WHERE user_id = $1", person)
    return things, await connection.fetchval(
        "SELECT count(*) FROM idempotency_key WHERE principal = $1", str(person)
    )


async def test_a_deleted_account_takes_its_things_along_and_nobody_elses(
    connection: asyncpg.Connection, processes: list[Erasures]
) -> None:
    await processes[0].note(deleted())
    await asyncio.gather(*(process.run() for process in processes))
    await processes[0].run()
    assert await left(connection, GONE) == (0, 0)
    assert await left(connection, OTHER) == (THINGS, 1)
    assert await connection.fetchval("SELECT done_at IS NOT NULL FROM erasure") is True


async def test_a_suspended_account_keeps_everything(
    connection: asyncpg.Connection, processes: list[Erasures]
) -> None:
    for reason in set(EndReason) - {EndReason.ACCOUNT_DELETED}:
        await processes[0].note(AccessEnd(reason, user_id=GONE))
    await processes[0].run()
    assert await left(connection, GONE) == (THINGS, 1)
    assert await connection.fetchval("SELECT count(*) FROM erasure") == 0


async def test_a_process_that_dies_in_it_is_carried_on_by_another(
    connection: asyncpg.Connection, processes: list[Erasures]
) -> None:
    await processes[0].note(deleted())
    assert await processes[0]._batch()
    dying = asyncio.create_task(processes[0].run())
    await asyncio.sleep(0)
    dying.cancel()
    await asyncio.wait({dying})
    assert sum(await left(connection, GONE)) > 0
    await processes[1].run()
    assert await left(connection, GONE) == (0, 0)


async def test_what_came_after_the_first_time_goes_when_it_is_told_again(
    connection: asyncpg.Connection, processes: list[Erasures]
) -> None:
    await processes[0].note(deleted())
    await processes[0].run()
    await fill(connection, 3)
    await processes[0].run()
    assert await left(connection, GONE) == (3, 1)
    await processes[1].note(deleted())
    await processes[1].run()
    assert await left(connection, GONE) == (0, 0)


async def test_work_ends_and_the_account_is_noted_in_one_handler(
    connection: asyncpg.Connection, processes: list[Erasures]
) -> None:
    heard: list[AccessEnd] = []

    async def end_work(end: AccessEnd) -> None:
        heard.append(end)

    await processes[0].after(end_work)(deleted())
    assert heard == [deleted()]
    assert await connection.fetchval("SELECT user_id FROM erasure WHERE done_at IS NULL") == GONE
