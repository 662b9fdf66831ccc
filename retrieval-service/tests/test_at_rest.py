"""What the service costs while nobody asks it for anything, and what its looks for work cost in a table that
has grown.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from identities import make_principal
from ingestion_world import World, worlds_over
from retrieval_service.files import repository
from shared.clock import utc_now
from sqlalchemy.dialects.postgresql import asyncpg as dialect

MEASURED_S = 12
# Twelve a second are the durable engine's looks at its own tables, three are ours. One queue that is looked
# at five times a second makes it 26.
TRANSACTIONS_PER_S_MAX = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worlds(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[Callable[[], World]]:
    async with worlds_over(service_database, tmp_path_factory, embedding_model_folder) as make:
        yield make


class Recorder:
    """Takes statements in place of a session."""

    def __init__(self) -> None:
        self.statements: list[Any] = []

    async def execute(self, statement: Any) -> list[Any]:
        self.statements.append(statement)
        return []


async def looks() -> list[tuple[str, str, Any]]:
    """(name, index it needs, statement) of what is asked again and again."""
    recorder: Any = Recorder()
    await repository.waiting(recorder)
    await repository.waiting(recorder, bytes_max=65_536)
    await repository.active_by_person(recorder)
    await repository.unfinished(recorder, quiet_before=utc_now(), limit=100)
    names = ("waiting", "small ones that wait", "under way", "silent")
    indexes = ("ix_file_turn", "ix_file_turn", "ix_file_unfinished", "ix_file_unfinished")
    return list(zip(names, indexes, recorder.statements, strict=True))


async def plan_of(connection: asyncpg.Connection, name: str, statement: Any) -> str:
    """As it is planned for parameters that are not known, which is how the service's connections keep it."""
    compiled = statement.compile(dialect=dialect.dialect())
    values = [compiled.params[key] for key in compiled.positiontup or ()]
    given = ", ".join(f"'{value}'" for value in values)
    await connection.execute(f'PREPARE "{name}" AS {compiled}')
    rows = await connection.fetch(f'EXPLAIN EXECUTE "{name}"' + (f"({given})" if values else ""))
    return "\n".join(row[0] for row in rows)


@pytest.mark.asyncio(loop_scope="module")
async def test_looks_for_files_to_read_do_not_go_through_the_files_that_are_done(
    worlds: Callable[[], World],
) -> None:
    database = worlds().database
    connection = await asyncpg.connect(database.owner_url, server_settings={"search_path": "retrieval"})
    try:
        await connection.execute(
            "INSERT INTO file (id, organisation_id, team_id, user_id, principal, filename, content_type,"
            " size_bytes, sha256, s3_key, collection, stage, attempt, enqueued_attempt, created_at,"
            " updated_at)"
            " SELECT gen_random_uuid(), $1, $1, md5((n % 200)::text)::uuid, $2, 'a.txt', 'text/plain', 1000,"
            " '', 'files/' || n, 'u', CASE WHEN n % 10 = 0 THEN 'queued' WHEN n % 100 = 1 THEN 'embedding'"
            " ELSE 'ready' END, 1, CASE WHEN n % 10 = 0 THEN 0 ELSE 1 END, now(), now() FROM"
            " generate_series(1, 20000) n",
            *(uuid4(), json.dumps(make_principal().to_claims())),
        )
        await connection.execute("ANALYZE file")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for name, index, statement in await looks():
            plan = await plan_of(connection, name, statement)
            assert index in plan, f"{name}:\n{plan}"
            assert "Seq Scan" not in plan, f"{name}:\n{plan}"
    finally:
        await connection.close()


async def transactions(world: World) -> int:
    """Of everybody in the service's database, told from another one."""
    name, url = world.database.name, world.database.admin_url
    connection = await asyncpg.connect(url.replace(f"/{name}", "/postgres", 1))
    try:
        assert await connection.fetchval("SELECT current_database()") == "postgres"
        return int(
            await connection.fetchval(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1", name
            )
        )
    finally:
        await connection.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_at_rest_the_database_is_hardly_asked(worlds: Callable[[], World]) -> None:
    world = worlds()
    async with world.service(file_jobs_interval_s=2) as service:
        person = service.person()
        await person.until(await person.upload("A file, so that everything has been used once."), "ready")
        await asyncio.sleep(3)  # what belongs to the file is told to the statistics
        before = await transactions(world)
        await asyncio.sleep(MEASURED_S)
        used = await transactions(world) - before
    assert 0 < used <= TRANSACTIONS_PER_S_MAX * MEASURED_S
