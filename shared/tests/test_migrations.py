"""Two processes that migrate one schema at the same time."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from databases import PostgresForTests

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
            while not await first.fetchval(query, first.get_server_pid()):  # noqa: ASYNC110 - it is the server's
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
