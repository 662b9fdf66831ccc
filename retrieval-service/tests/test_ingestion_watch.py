"""What a watch notes of a file, and when it stops the work on it."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from retrieval_service.ingestion.errors import Unwanted
from retrieval_service.ingestion.watch import Watch
from shared.db import Database, postgres_url


@pytest.fixture(scope="module")
def url(service_database: Callable[[str], Any]) -> str:
    return service_database("retrieval-service").app_url


async def file_at(connection: asyncpg.Connection, stage: str) -> UUID:
    file_id = uuid4()
    await connection.execute(
        "INSERT INTO file (id, organisation_id, team_id, user_id, principal, filename, content_type,"
        " size_bytes, sha256, s3_key, collection, stage, created_at, updated_at)"
        " VALUES ($1, $1, $1, $1, '{}', 'a.txt', 'text/plain', 1, '', 'files/' || $2, 'c', $3, now(), now() -"
        " interval '1 hour')",
        file_id,
        str(file_id),
        stage,
    )
    return file_id


@pytest.mark.parametrize(
    ("stage", "wanted"), [("parsing", True), ("embedding", True), ("ready", False), ("cancelled", False)]
)
async def test_a_reading_goes_on_while_its_attempt_has_not_ended(url: str, stage: str, wanted: bool) -> None:
    """A reading that begins again finds its file where the reading before it came to."""
    database = Database(url, schema="retrieval", pool_max=2)
    connection = await asyncpg.connect(postgres_url(url), server_settings={"search_path": "retrieval"})
    file_id = await file_at(connection, stage)
    watch = Watch(database, file_id, 1, stage="parsing")
    watch.done, watch.total, watch.unit = 3, 7, "pages"
    looked = "SELECT updated_at > now() - interval '1 minute' AND progress_done = 3 FROM file WHERE id = $1"

    async def work() -> str:
        while not await connection.fetchval(looked, file_id):  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)
        return "read"

    if wanted:
        assert await watch.during(work) == "read"
    else:
        with pytest.raises(Unwanted):
            await watch.during(work)
    assert await connection.fetchval("SELECT stage FROM file WHERE id = $1", file_id) == stage
    await connection.close()
    await database.dispose()


async def test_work_that_is_cancelled_is_not_taken_for_unwanted(url: str) -> None:
    """Its workflow continues later; unwanted, what it wrote would be removed."""
    database = Database(url, schema="retrieval", pool_max=2)

    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Watch(database, uuid4(), 1, stage="embedding").during(work)
    await database.dispose()
