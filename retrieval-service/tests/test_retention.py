"""After two years what ends by age is gone and every file is there; a deleted file leaves no row, object or
vector but what is listed.
"""

import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from ingestion_world import PASSAGES, Person, Service, unique, worlds_over
from shared.access import ACCESS_CHANNEL
from suite.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
BASES = "/api/v1/retrieval/knowledge-bases"
_OLD = "now() - interval '800 days'"
_OLD_MS = int((datetime.now(UTC) - timedelta(days=800)).timestamp() * 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[Service]:
    async with (
        worlds_over(service_database, tmp_path_factory, embedding_model_folder) as make,
        make().service() as service,
    ):
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def admin(service: Service) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(service.world.database.admin_url)
    yield connection
    await connection.close()


async def ready_file(person: Person) -> str:
    file_id = await person.upload(unique())
    await person.until(file_id, "ready")
    return file_id


async def tables_naming(admin: asyncpg.Connection, *words: str) -> set[str]:
    """The tables with a row that holds one of the words anywhere."""
    names = [
        row[0]
        for row in await admin.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'retrieval%'"
        )
    ]
    found: set[str] = set()
    for name in names:
        for (text,) in await admin.fetch(f"SELECT t::text FROM {name} t"):
            if any(word in text for word in words):
                found.add(name)
    return found


async def objects_naming(service: Service, word: str) -> list[str]:
    return [
        item.key
        for prefix in ("files", "uploads")
        async for item in service.state.objects.list(prefix)
        if word in item.key
    ]


async def finished_workflow(admin: asyncpg.Connection, file_id: str) -> bool:
    status = "SELECT status FROM retrieval_dbos.workflow_status WHERE workflow_uuid LIKE '%' || $1 || '%'"
    return await admin.fetchval(status, file_id) == "SUCCESS"


async def age_workflows(admin: asyncpg.Connection, file_id: str) -> None:
    await admin.execute(
        "UPDATE retrieval_dbos.workflow_status SET created_at = $2, updated_at = $2, completed_at = $2"
        " WHERE workflow_uuid LIKE '%' || $1 || '%'",
        file_id,
        _OLD_MS,
    )


async def test_two_years_later_every_table_that_ends_is_bounded_and_files_are_there(
    service: Service, admin: asyncpg.Connection
) -> None:
    person = service.person()
    old, fresh = await ready_file(person), await ready_file(person)
    for file_id in (old, fresh):
        await eventually(lambda file_id=file_id: finished_workflow(admin, file_id))
    base = (await person.http.post(BASES, json={"name": "old"})).json()["id"]
    assert (await person.http.post(f"{BASES}/{base}/files", json={"file_id": old})).status_code in {
        200,
        201,
        204,
    }
    upload = await person.http.post(
        "/api/v1/retrieval/uploads",
        json={"filename": "left.txt", "size_bytes": 10_000, "content_type": "text/plain"},
    )
    assert upload.status_code == 201, upload.text
    upload_id = upload.json()["id"]
    await age_workflows(admin, old)
    await admin.execute(
        f"UPDATE retrieval.file SET created_at = {_OLD}, updated_at = {_OLD} WHERE id = '{old}';"
        f"UPDATE retrieval.upload SET created_at = {_OLD}, expires_at = {_OLD} WHERE id = '{upload_id}';"
        "INSERT INTO retrieval.embedding_cache (hash, model, vector, used_at) VALUES ('old', 'm', '', "
        f"{_OLD});"
        "INSERT INTO retrieval.idempotency_key (principal, method, route, key, body_hash, created_at)"
        f" VALUES ('p', 'POST', '/x', 'old', '', {_OLD}), ('p', 'POST', '/x', 'fresh', '', now())"
    )
    cached = await admin.fetchval("SELECT count(*) FROM retrieval.embedding_cache")

    await service.state.retention.run()
    await service.state.embedder.purge_cache()

    assert await admin.fetchval("SELECT count(*) FROM retrieval.embedding_cache") == cached - 1
    workflow_tables = {name for name in await tables_naming(admin, old) if name.startswith("retrieval_dbos.")}
    assert workflow_tables == set()
    assert {"retrieval_dbos.workflow_status", "retrieval_dbos.operation_outputs"} <= await tables_naming(
        admin, fresh
    )
    assert [
        row[0]
        for row in await admin.fetch(
            "SELECT key FROM retrieval.idempotency_key WHERE key IN ('old', 'fresh')"
        )
    ] == ["fresh"]
    for file_id in (old, fresh):
        assert (await person.file(file_id))["stage"] == "ready"
        assert await service.points(file_id) == PASSAGES
        assert await objects_naming(service, file_id)
    await eventually(lambda: _gone(admin, "upload", upload_id))
    assert await service.state.retention.run() == {}


async def _gone(admin: asyncpg.Connection, table: str, row_id: str) -> bool:
    return await admin.fetchval(f"SELECT count(*) FROM retrieval.{table} WHERE id = '{row_id}'") == 0


async def test_a_deleted_file_leaves_only_what_the_page_of_retention_lists(
    service: Service, admin: asyncpg.Connection
) -> None:
    person = service.person()
    file_id = await ready_file(person)
    await eventually(lambda: finished_workflow(admin, file_id))
    assert await service.points(file_id) == PASSAGES
    assert await objects_naming(service, file_id)
    assert (await person.http.delete(f"{FILES}/{file_id}")).status_code == 204
    await eventually(lambda: _gone(admin, "file", file_id))
    assert await service.points(file_id) == 0
    assert await objects_naming(service, file_id) == []
    left = await tables_naming(admin, file_id, str(person.principal.user_id))
    assert left
    assert {name for name in left if not name.startswith("retrieval_dbos.")} == set()
    await age_workflows(admin, file_id)
    await service.state.retention.run()
    assert await tables_naming(admin, file_id, str(person.principal.user_id)) == set()


async def test_a_deleted_account_takes_its_files_uploads_and_knowledge_along(
    service: Service, admin: asyncpg.Connection
) -> None:
    gone, other = service.person(), service.person()
    files = {person: await ready_file(person) for person in (gone, other)}
    for person, file_id in files.items():
        base = (await person.http.post(BASES, json={"name": "b", "access": "private"})).json()["id"]
        assert (await person.http.post(f"{BASES}/{base}/files", json={"file_id": file_id})).is_success
        await eventually(lambda file_id=file_id: finished_workflow(admin, file_id))
    begun = await gone.http.post(
        "/api/v1/retrieval/uploads", json={"filename": "left.txt", "size_bytes": 10_000}
    )
    assert begun.status_code == 201, begun.text
    user_id = gone.principal.user_id
    event = {
        "id": str(uuid4()),
        "topic": "account.deleted",
        "key": f"user:{user_id}",
        "payload": {"user_id": str(user_id)},
    }
    await admin.execute("SELECT pg_notify($1, $2)", ACCESS_CHANNEL, json.dumps(event))

    async def erased() -> bool:
        left = await tables_naming(admin, str(user_id), files[gone], begun.json()["id"])
        return {name for name in left if not name.startswith("retrieval_dbos.")} == {"retrieval.erasure"}

    await eventually(erased)
    assert await service.points(files[gone]) == 0
    assert (
        await objects_naming(service, files[gone]) == await objects_naming(service, begun.json()["id"]) == []
    )
    assert (await other.file(files[other]))["stage"] == "ready"
    assert await service.points(files[other]) == PASSAGES
    assert len((await other.http.get(BASES)).json()["data"]) == 1
