"""Ingestion: from a file that waits to passages that are found, through refusals, waits, cancellation and
death at every point.
"""

import asyncio
import contextlib
import hashlib
import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from fake_embeddings import FakeInference
from identities import make_principal
from ingestion_world import FILES, PASSAGES, TEXT, Person, Service, World, refusal, unique, worlds_over
from retrieval_service.vectors.adapters.edge import EdgeStore
from suite.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worlds(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[Callable[[], World]]:
    async with worlds_over(service_database, tmp_path_factory, embedding_model_folder) as make:
        yield make


@pytest.fixture(scope="module")
def world(worlds: Callable[[], World]) -> World:
    return worlds()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_service(world: World) -> AsyncGenerator[Service]:
    async with world.service() as service:
        yield service


@pytest.fixture
def inference(world: World) -> FakeInference:
    """Well again, and without memory."""
    world.inference.refusals.clear()
    world.inference.refuse_always = None
    world.inference.gate.set()
    world.inference.texts.clear()
    world.inference.subjects.clear()
    world.inference.calls = 0
    return world.inference


@pytest.fixture
def service(shared_service: Service, inference: FakeInference) -> Service:
    return shared_service


@pytest.fixture
def person(service: Service) -> Person:
    return service.person()


async def test_a_file_becomes_passages_and_vectors_and_then_ready(
    service: Service, world: World, person: Person
) -> None:
    file_id = await person.upload(TEXT)
    file = await person.until(file_id, "ready")
    passages = await world.passages(file_id)
    assert [row["ordinal"] for row in passages] == list(range(PASSAGES))
    assert (file["chunk_count"], file["token_count"]) == (
        PASSAGES,
        sum(row["token_count"] for row in passages),
    )
    assert (file["embedding_status"], file["progress"], file["error"]) == ("completed", None, None)
    assert file["qdrant_point_id"] == str(passages[0]["id"])
    assert await service.points(file_id) == PASSAGES
    text = "\n\n".join(row["text"] for row in passages)
    assert all(f"w{number}x" in text for number in range(11))


async def test_texts_are_embedded_for_the_person_who_uploaded_and_once(
    service: Service, inference: FakeInference
) -> None:
    one, two = service.person(), service.person()
    text = unique()
    await one.until(await one.upload(text), "ready")
    (subject,) = inference.subjects
    assert str(one.principal.user_id) in subject
    assert len(inference.texts) == len(set(inference.texts)) == PASSAGES
    inference.texts.clear()
    await two.until(await two.upload(text), "ready")
    assert inference.texts == []


async def test_progress_is_shown_and_readers_see_nothing_before_the_end(
    person: Person, inference: FakeInference
) -> None:
    inference.gate.clear()
    file_id = await person.upload(unique())
    file = await person.until(file_id, "embedding")
    assert (file["progress"]["unit"], file["progress"]["total"]) == ("chunks", PASSAGES)
    assert (await person.http.get(f"{FILES}/{file_id}/chunks")).json()["data"] == []
    inference.gate.set()
    await person.until(file_id, "ready")
    assert len((await person.http.get(f"{FILES}/{file_id}/chunks")).json()["data"]) == PASSAGES


@pytest.mark.parametrize(
    "answer",
    [refusal(503, "loading"), refusal(429, "limited"), refusal(500, "boom")],
    ids=["503", "429", "500"],
)
async def test_a_model_that_is_away_for_a_while_is_waited_for(
    person: Person, inference: FakeInference, answer: Any
) -> None:
    inference.refusals.append(answer)
    await person.until(await person.upload(unique()), "ready")
    assert inference.calls == 4


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(
            refusal(402, "budget", "the budget is used up; top it up"), "embedding_unpaid", id="budget"
        ),
        pytest.param(refusal(400, "bad", "this input is refused"), "embedding_refused", id="refused"),
        pytest.param((200, {"data": [{"index": 0, "embedding": ""}]}), "embedding_invalid", id="no vectors"),
    ],
)
async def test_a_refusal_fails_the_file_and_leaves_nothing(
    service: Service, world: World, person: Person, inference: FakeInference, answer: Any, code: str
) -> None:
    inference.refuse_always = answer
    file_id = await person.upload(unique())
    file = await person.until(file_id, "failed")
    assert file["error"]["code"] == code
    assert (await world.passages(file_id), await service.points(file_id)) == ([], 0)
    inference.refuse_always = None
    await person.http.post(f"{FILES}/{file_id}/retry")
    file = await person.until(file_id, "ready")
    assert (file["error"], await service.points(file_id)) == (None, PASSAGES)


async def test_what_cannot_be_read_says_why(person: Person) -> None:
    file = await person.until(await person.upload("<html><script>1</script></html>", "page.html"), "failed")
    assert file["error"]["code"] == "empty"
    assert file["embedding_status"] == "failed"


async def test_a_cancelled_ingestion_stops_and_leaves_nothing(
    service: Service, world: World, person: Person, inference: FakeInference
) -> None:
    inference.gate.clear()
    file_id = await person.upload(unique())
    await person.until(file_id, "embedding")
    assert (await person.http.post(f"{FILES}/{file_id}/cancel")).status_code == 200
    await person.until(file_id, "cancelled")
    inference.gate.set()
    assert (await world.passages(file_id), await service.points(file_id)) == ([], 0)
    await person.http.post(f"{FILES}/{file_id}/retry")
    await person.until(file_id, "ready")
    assert len(await world.passages(file_id)) == await service.points(file_id) == PASSAGES


async def test_a_deleted_file_never_comes_back(
    service: Service, world: World, person: Person, inference: FakeInference
) -> None:
    inference.gate.clear()
    file_id = await person.upload(unique())
    await person.until(file_id, "embedding")
    assert (await person.http.delete(f"{FILES}/{file_id}")).status_code == 204
    inference.gate.set()

    async def gone() -> bool:
        return not await world.sql("SELECT 1 FROM file WHERE id = $1", UUID(file_id))

    await eventually(gone)
    assert (await world.passages(file_id), await service.points(file_id)) == ([], 0)


async def test_deleting_a_ready_file_removes_passages_and_vectors(
    service: Service, world: World, person: Person
) -> None:
    file_id = await person.upload()
    await person.until(file_id, "ready")
    await person.http.delete(f"{FILES}/{file_id}")

    async def gone() -> bool:
        return not await world.passages(file_id) and not await service.points(file_id)

    await eventually(gone)


async def test_a_citation_opens_its_passage_with_what_stands_around_it(world: World, person: Person) -> None:
    file_id = await person.upload()
    await person.until(file_id, "ready")
    first = (await person.http.get(f"{FILES}/{file_id}/chunks", params={"limit": 3})).json()
    assert first["has_more"]
    rest = (await person.http.get(f"{FILES}/{file_id}/chunks", params={"after": first["last_id"]})).json()
    chunks = first["data"] + rest["data"]
    assert [chunk["ordinal"] for chunk in chunks] == list(range(PASSAGES))
    opened = (await person.http.get(f"{FILES}/{file_id}/chunks/{chunks[1]['chunk_id']}")).json()
    assert (opened["text"], opened["filename"], opened["page"]) == (chunks[1]["text"], "notes.txt", None)
    assert opened["before"].startswith("Paragraph 0.")
    assert opened["after"]
    assert opened["text"] not in opened["before"] + opened["after"]
    assert (opened["previous_chunk_id"], opened["next_chunk_id"]) == (
        chunks[0]["chunk_id"],
        chunks[2]["chunk_id"],
    )
    edge = (await person.http.get(f"{FILES}/{file_id}/chunks/{chunks[0]['chunk_id']}")).json()
    assert (edge["before"], edge["previous_chunk_id"]) == (None, None)


async def test_passages_of_others_are_not_there(service: Service, person: Person) -> None:
    file_id, other_file = await person.upload(), await person.upload("another file with a line")
    await person.until(file_id, "ready")
    await person.until(other_file, "ready")
    chunk_id = (await person.http.get(f"{FILES}/{file_id}/chunks")).json()["data"][0]["chunk_id"]
    stranger = service.person()
    for path in (f"{file_id}/chunks", f"{file_id}/chunks/{chunk_id}", f"{uuid4()}/chunks"):
        assert (await stranger.http.get(f"{FILES}/{path}")).status_code == 404
    assert (await person.http.get(f"{FILES}/{other_file}/chunks/{chunk_id}")).json()[
        "code"
    ] == "chunk_not_found"
    for after in ("nothing", str(uuid4()), chunk_id):
        answer = await person.http.get(f"{FILES}/{other_file}/chunks", params={"after": after})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


async def test_an_ingestion_that_nobody_works_on_is_ended(
    service: Service, world: World, person: Person
) -> None:
    file_id = await person.upload()
    await person.until(file_id, "ready")
    await world.sql(
        "UPDATE file SET stage = 'embedding', updated_at = now() - interval '1 hour' WHERE id = $1",
        UUID(file_id),
    )
    await service.state.ingestion_sweeper.run()
    file = await person.file(file_id)
    assert (file["stage"], file["error"]["code"]) == ("failed", "interrupted")
    assert (await world.passages(file_id), await service.points(file_id)) == ([], 0)


async def test_the_cache_of_vectors_is_bounded(service: Service, world: World, person: Person) -> None:
    await person.until(await person.upload(unique()), "ready")
    embedder = service.state.embedder
    embedder._cache_rows_max = 3
    await embedder.purge_cache()
    assert (await world.sql("SELECT count(*) FROM embedding_cache"))[0][0] == 3
    await world.sql("UPDATE embedding_cache SET used_at = now() - interval '31 days'")
    await embedder.purge_cache()
    assert (await world.sql("SELECT count(*) FROM embedding_cache"))[0][0] == 0


async def test_a_file_waits_for_the_tokenizer_and_fails_when_it_does_not_come(
    worlds: Callable[[], World], inference: FakeInference, tmp_path: Path, embedding_model_folder: Path
) -> None:
    async with worlds().service(embedding_model_path=tmp_path, embedding_wait_max_s=3) as service:
        person = service.person()
        file_id = await person.upload("some words")
        await person.until(file_id, "parsing")
        (tmp_path / "tokenizer.json").symlink_to(embedding_model_folder / "tokenizer.json")
        await person.until(file_id, "ready")
        (tmp_path / "tokenizer.json").unlink()
        file = await person.until(await person.upload("other words"), "failed")
        assert file["error"]["code"] == "embedding_model_missing"


async def test_what_a_service_was_doing_when_it_was_stopped_goes_on_at_its_next_start(
    worlds: Callable[[], World], inference: FakeInference
) -> None:
    world, principal = worlds(), make_principal()
    inference.gate.clear()
    async with world.service() as service:
        person = service.person(principal)
        file_id = await person.upload(unique())
        await person.until(file_id, "embedding")
    inference.gate.set()
    async with world.service() as service:
        file = await service.person(principal).until(file_id, "ready")
        assert file["chunk_count"] == await service.points(file_id) == PASSAGES


_CHILD = Path(__file__).with_name("ingestion_process.py")


class Processes:
    """Services in processes of their own, one after another, each with the point where it is to die."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def over(cls, world: World) -> AsyncGenerator["Processes"]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_CHILD),
            json.dumps(world.fields),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()

    async def run(self, file_id: str, point: str = "", *, version: int = 1) -> int:
        """The exit code of a service that ran until the file's workflow was over, or until it died at
        `point`.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{version} {file_id} {point}\n".encode())
        async with asyncio.timeout(90):
            return int(await self._process.stdout.readline())


async def waiting_file(world: World) -> str:
    """A file whose upload was committed by a process that then died."""
    file_id, text = str(uuid4()), unique().encode()
    path = world.home / "data" / "objects" / "files" / file_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    principal = make_principal()
    await world.sql(
        "INSERT INTO file (id, organisation_id, team_id, user_id, principal, filename, content_type,"
        " size_bytes, sha256, s3_key, collection, stage, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, 'notes.txt', 'text/plain', $6, $7, $8, $9, 'queued', now(), now())",
        UUID(file_id),
        principal.organisation_id,
        principal.team_id,
        principal.user_id,
        json.dumps(principal.to_claims()),
        len(text),
        hashlib.sha256(text).hexdigest(),
        f"files/{file_id}",
        f"u-{principal.user_id}",
    )
    return file_id


async def stored_points(world: World) -> dict[str, int]:
    store = EdgeStore(world.home / "data" / "vectors" / "qdrant")
    await store.open()
    try:
        return {str(file_id): count for (_, file_id), count in (await store.list_files()).items()}
    finally:
        await store.close()


DEATHS = [
    "in read, passages written",
    "in read, all done",
    "after read",
    "in embed, vectors stored",
    "in embed 0, all done",
    "after embed 0",
    "before finish",
    "in finish, all done",
    "after finish",
]


@pytest.mark.timeout(300)
async def test_killed_at_every_point_a_file_is_ingested_exactly_once(
    worlds: Callable[[], World], inference: FakeInference
) -> None:
    world = worlds()
    file_id = await waiting_file(world)
    async with Processes.over(world) as processes:
        for point in DEATHS:
            assert await processes.run(file_id, point) == -signal.SIGKILL, point
        assert await processes.run(file_id) == 0
    await assert_ingested_once(world, file_id)
    assert await stored_points(world) == {file_id: PASSAGES}
    assert len(inference.texts) == PASSAGES  # what was embedded before a death is not embedded again


async def assert_ingested_once(world: World, file_id: str) -> None:
    (file,) = await world.sql("SELECT * FROM file WHERE id = $1", UUID(file_id))
    passages = await world.passages(file_id)
    assert [row["ordinal"] for row in passages] == list(range(PASSAGES))
    assert (file["stage"], file["attempt"], file["chunk_count"]) == ("ready", 1, PASSAGES)
    assert file["token_count"] == sum(row["token_count"] for row in passages)
    assert file["first_point_id"] == passages[0]["id"]


@pytest.mark.timeout(300)
async def test_upgraded_at_any_point_files_are_ingested_exactly_once(
    worlds: Callable[[], World], inference: FakeInference
) -> None:
    world = worlds()
    file_id, waiting_id = await waiting_file(world), await waiting_file(world)
    async with Processes.over(world) as processes:
        for version, point in enumerate(DEATHS[::2]):
            assert await processes.run(file_id, point, version=version) == -signal.SIGKILL, point
        for name in (file_id, waiting_id):
            assert await processes.run(name, version=99) == 0
            await assert_ingested_once(world, name)
    assert await stored_points(world) == {file_id: PASSAGES, waiting_id: PASSAGES}
    assert (
        len(set(inference.texts)) == 2 * PASSAGES
    )  # a death at a point of one may cut a batch of the other, which is embedded again


@pytest.mark.timeout(300)
async def test_killed_amid_the_files_of_several_people_none_is_lost_or_read_twice(
    worlds: Callable[[], World], inference: FakeInference
) -> None:
    world = worlds()
    files = [await waiting_file(world) for _ in range(4)]
    async with Processes.over(world) as processes:
        assert await processes.run(files[0], "after embed 0") == -signal.SIGKILL
        assert await processes.run(files[1], "before finish") == -signal.SIGKILL
        for name in files:
            assert await processes.run(name) == 0
            await assert_ingested_once(world, name)
    assert await stored_points(world) == dict.fromkeys(files, PASSAGES)


@pytest.mark.timeout(300)
async def test_killed_while_it_is_cancelled_a_file_leaves_nothing(
    worlds: Callable[[], World], inference: FakeInference
) -> None:
    world = worlds()
    file_id = await waiting_file(world)
    async with Processes.over(world) as processes:
        assert await processes.run(file_id, "after embed 0") == -signal.SIGKILL
        await world.sql("UPDATE file SET cancel_requested = true WHERE id = $1", UUID(file_id))
        assert await processes.run(file_id, "before end") == -signal.SIGKILL
        assert await processes.run(file_id, "in end, all done") == -signal.SIGKILL
        assert await processes.run(file_id, version=2) == 0
    (file,) = await world.sql("SELECT * FROM file WHERE id = $1", UUID(file_id))
    assert (file["stage"], file["cancel_requested"]) == ("cancelled", False)
    assert (await world.passages(file_id), await stored_points(world)) == ([], {})
