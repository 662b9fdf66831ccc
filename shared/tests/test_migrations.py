"""Migrations by two processes at the same time, by older code, and over a connection whose TLS is chosen."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from databases import PostgresForTests
from shared.db import Database
from shared.errors import Unavailable

from shared import migrations

_ENV = "from shared.migrations import run\n\nrun('public')\n"
_REVISION = (
    "from alembic import op\nrevision, down_revision = '0001', None\n\n"
    "def upgrade():\n    op.execute('CREATE TABLE made (a int)')\n"
)


@pytest.fixture
def service_root(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "migrations" / "env.py").write_text(_ENV)
    (versions / "0001_made.py").write_text(_REVISION)
    return tmp_path


async def test_the_second_waits_for_the_first_beyond_the_time_out_of_locks_and_holds_no_snapshot(
    service_root: Path, postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "50ms")
    url = postgres.empty_database()
    first = await asyncpg.connect(url)
    try:
        await first.execute("SELECT pg_advisory_lock(hashtext('atrium-migrations-public'))")
        second = asyncio.create_task(asyncio.to_thread(migrations.upgrade, service_root, url))
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> $1"
        )

        async with asyncio.timeout(60):
            while not await first.fetchval(query, first.get_server_pid()):
                if second.done():
                    await second  # says why
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        assert not second.done()
        await first.execute("CREATE TABLE busy (a int)")
        await first.execute("CREATE INDEX CONCURRENTLY on_busy ON busy (a)")  # waits for older snapshots
        await first.execute("SELECT pg_advisory_unlock_all()")
        await asyncio.wait_for(second, 60)
        assert await first.fetchval("SELECT to_regclass('made')") is not None
    finally:
        await first.close()


async def test_older_code_leaves_a_newer_schema_as_it_is(
    service_root: Path, postgres: PostgresForTests
) -> None:
    url = postgres.empty_database()
    await asyncio.to_thread(migrations.upgrade, service_root, url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = '0002'")
        folder = service_root / "src" / "older" / "functions"
        folder.mkdir(parents=True)
        (folder / "answer.sql").write_text(
            "-- Of the older version.\n"
            "CREATE OR REPLACE FUNCTION answer() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;\n"
        )
        await asyncio.to_thread(migrations.upgrade, service_root, url)
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0002"
        assert await connection.fetchval("SELECT to_regprocedure('answer()')") is None
    finally:
        await connection.close()


async def test_the_address_says_whether_tls_is_demanded(
    service_root: Path, postgres: PostgresForTests
) -> None:
    url = postgres.empty_database()
    await asyncio.to_thread(migrations.upgrade, service_root, f"{url}?sslmode=disable")
    plain = Database(f"{url}?sslmode=disable", schema="public")
    try:
        await plain.ping()
    finally:
        await plain.dispose()
    demanding = Database(f"{url}?sslmode=require", schema="public")  # the server has no certificate
    try:
        with pytest.raises(Unavailable):
            await demanding.ping()
    finally:
        await demanding.dispose()
