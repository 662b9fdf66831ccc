"""Whose file is read next: nobody's waits behind the many or the large ones of another."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from identities import make_principal
from ingestion_world import Person, World, unique, worlds_over
from retrieval_service.files import progress, repository
from retrieval_service.files.enqueue import Begin, Enqueuer
from retrieval_service.files.turns import Places, WaitingFile, next_file
from shared.clock import utc_now
from shared.db import Database
from shared.fair_queue import RoundRobin
from shared.ids import uuid7
from suite.waiting import eventually

ANN, BEN, CLEO = (uuid7() for _ in range(3))


def waiting(user_id: UUID) -> WaitingFile:
    return WaitingFile(uuid7(), 1, user_id)


def order(count: int, files: list[WaitingFile], *, concurrency: int = 1) -> list[UUID]:
    """Whose files are begun when each ends before the next one begins."""
    places, served, begun = Places(concurrency), RoundRobin[UUID](), list[UUID]()
    for _ in range(count):
        heads = {file.user_id: file for file in reversed(files)}
        found = next_file(list(heads.values()), [], places=places, active={}, served=served.last)
        if found is None:
            break
        files.remove(found[0])
        served.note(found[0].user_id)
        begun.append(found[0].user_id)
    return begun


def test_people_take_turns_however_many_files_one_has() -> None:
    files = [
        waiting(ANN),
        waiting(ANN),
        waiting(ANN),
        waiting(ANN),
        waiting(BEN),
        waiting(BEN),
        waiting(CLEO),
    ]
    assert order(7, files) == [ANN, BEN, CLEO, ANN, BEN, ANN, ANN]


def test_one_person_never_has_every_place() -> None:
    places = Places(3)
    for number in range(2):
        file = waiting(ANN)
        assert next_file([file], [], places=places, active={}, served=lambda _: 0) == (file, False), number
        places.take(file, express=False)
    mine, others = waiting(ANN), waiting(BEN)
    assert next_file([mine], [], places=places, active={ANN: 2}, served=lambda _: 0) is None
    assert next_file([mine, others], [], places=places, active={ANN: 2}, served=lambda _: 0) == (
        others,
        False,
    )


def test_a_small_file_has_a_place_of_its_own_if_its_owner_has_nothing_under_way() -> None:
    places, large = Places(1), waiting(ANN)
    places.take(large, express=False)
    mine, others, late = waiting(ANN), waiting(BEN), waiting(CLEO)
    assert next_file([mine], [mine], places=places, active={ANN: 1}, served=lambda _: 0) is None
    assert next_file([mine, others], [mine, others], places=places, active={ANN: 1}, served=lambda _: 0) == (
        others,
        True,
    )
    places.take(others, express=True)
    assert next_file([late], [late], places=places, active={ANN: 1, BEN: 1}, served=lambda _: 0) is None
    places.leave_all_but({large.file_id})
    assert next_file([late], [late], places=places, active={ANN: 1}, served=lambda _: 0) == (late, True)


def test_a_file_has_its_place_until_it_does_not_run_here_any_more() -> None:
    places, file = Places(1), waiting(ANN)
    places.take(file, express=False)
    places.leave_all_but({file.file_id})
    assert not places.free()
    places.leave_all_but(set())
    assert places.free()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worlds(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[Callable[[], World]]:
    async with worlds_over(service_database, tmp_path_factory, embedding_model_folder) as make:
        yield make


async def held(world: World, person: Person, count: int) -> list[str]:
    """Files of somebody whose passages are not embedded until `world.inference.held` lets them."""
    world.inference.held[str(person.principal.user_id)] = asyncio.Event()
    files = [await person.upload(unique(), f"{number}.txt") for number in range(count)]
    await person.until(files[0], "embedding")
    return files


@pytest.mark.asyncio(loop_scope="module")
async def test_a_small_file_is_ready_at_once_while_others_flood_the_service(
    worlds: Callable[[], World],
) -> None:
    world = worlds()
    async with world.service(
        ingestion_batch_chunks=64
    ) as service:  # a large file in a few steps: nothing dies here
        ann, ben, cleo, dora = (service.person() for _ in range(4))
        floods = {ann: await held(world, ann, 4), ben: await held(world, ben, 3)}
        # While the others' files are held, whatever the machine is at.
        file = await cleo.until(
            await cleo.upload("Thirty-six bytes of text, not more.."), "ready", within_s=60
        )
        assert file["chunk_count"] == 1
        large = await dora.upload(
            unique() * 40, "large.txt"
        )  # in no place of the small ones, and every other is taken
        assert [(await ann.file(name))["stage"] for name in floods[ann]] == [
            "embedding",
            "queued",
            "queued",
            "queued",
        ]
        world.inference.held[str(ben.principal.user_id)].set()
        await dora.until(large, "ready", within_s=60)
        assert (await ann.file(floods[ann][0]))["stage"] == "embedding"
        world.inference.held[str(ann.principal.user_id)].set()
        for person, files in floods.items():
            for name in files:
                await person.until(name, "ready", within_s=60)


async def insert_waiting(world: World, count: int, *, size_bytes: int = 1_000_000) -> list[UUID]:
    principal, files = make_principal(), [uuid7() for _ in range(count)]
    for file_id in files:
        await world.sql(
            "INSERT INTO file (id, organisation_id, team_id, user_id, principal, filename, content_type,"
            " size_bytes, sha256, s3_key, collection, stage, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, 'a.txt', 'text/plain', $7, '', $6, 'u', 'queued', now(),"
            " now())",
            *(file_id, principal.organisation_id, principal.team_id, principal.user_id),
            *(json.dumps(principal.to_claims()), f"files/{file_id}", size_bytes),
        )
    return files


@pytest.mark.asyncio(loop_scope="module")
async def test_several_processes_begin_every_file_once(worlds: Callable[[], World]) -> None:
    world = worlds()
    for count in (6, 2, 4):
        await insert_waiting(world, count)
    begun: list[UUID] = []

    def process() -> tuple[Database, Enqueuer]:
        database = Database(world.database.app_url, schema="retrieval", pool_max=4)
        running = set[UUID]()
        enqueuer: Enqueuer | None = None

        def end(file_id: UUID) -> None:
            running.discard(file_id)
            if enqueuer is not None:
                enqueuer.look_soon()

        async def begin(file_id: UUID, _attempt: int) -> None:
            begun.append(file_id)
            running.add(file_id)
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.02, end, file_id)

        enqueuer = Enqueuer(database, begin, lambda: frozenset(running), concurrency=2, interval_s=0.05)
        return database, enqueuer

    processes = [process() for _ in range(3)]

    async def work(enqueuer: Enqueuer) -> None:
        while len(begun) < 12:
            await enqueuer.run()

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(enqueuer) for _, enqueuer in processes))
    for database, _ in processes:
        await database.dispose()
    assert len(begun) == len(set(begun)) == 12
    assert (await world.sql("SELECT count(*) FROM file WHERE enqueued_attempt = 1"))[0][0] == 12


@asynccontextmanager
async def enqueuer_of(
    world: World, begin: Begin, running: set[UUID], *, concurrency: int = 1
) -> AsyncIterator[Enqueuer]:
    database = Database(world.database.app_url, schema="retrieval", pool_max=4)
    try:
        yield Enqueuer(database, begin, lambda: frozenset(running), concurrency=concurrency, interval_s=3600)
    finally:
        await database.dispose()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_place_of_a_file_that_ended_before_its_begin_was_told_is_free(
    worlds: Callable[[], World],
) -> None:
    world = worlds()
    await insert_waiting(world, 3)
    begun: list[UUID] = []

    async def begin(file_id: UUID, _attempt: int) -> None:
        begun.append(file_id)
        enqueuer.look_soon()

    async with enqueuer_of(world, begin, set()) as enqueuer:
        await enqueuer.begin_waiting()
    assert len(begun) == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_a_file_runs_from_its_begin_on_however_late_its_workflow_starts(
    worlds: Callable[[], World],
) -> None:
    async with worlds().service() as service:
        ingestion, file_id = service.state.ingestion, uuid7()
        await ingestion.begin(file_id, 1)
        assert ingestion.running() == {file_id}
        await eventually(lambda: not ingestion.running())
        await ingestion.begin(file_id, 1)
        assert not ingestion.running()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_begin_that_fails_leaves_its_place(worlds: Callable[[], World]) -> None:
    world = worlds()
    await insert_waiting(world, 2)
    tried: list[UUID] = []

    async def begin(file_id: UUID, _attempt: int) -> None:
        tried.append(file_id)
        raise ConnectionError

    async with enqueuer_of(world, begin, set()) as enqueuer:
        for _ in range(3):
            await enqueuer.begin_waiting()
    assert len(tried) == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_what_continues_after_a_crash_has_places_and_what_is_begun_has_the_rest(
    worlds: Callable[[], World],
) -> None:
    """Begun behind it, a file would count as under way, not go on, and be taken for lost in half an hour."""
    world = worlds()
    large = await insert_waiting(world, 1)
    begun, running = list[UUID](), {uuid7(), uuid7()}

    async def begin(file_id: UUID, _attempt: int) -> None:
        begun.append(file_id)
        running.add(file_id)

    async with enqueuer_of(world, begin, running) as enqueuer:
        small = await insert_waiting(world, 1, size_bytes=1000)
        await enqueuer.begin_waiting()
        assert begun == []
        running.pop()
        await enqueuer.begin_waiting()
        assert begun == small
        running.clear()
        await enqueuer.begin_waiting()
        assert begun == small + large


@pytest.mark.asyncio(loop_scope="module")
async def test_what_continues_after_a_crash_counts_for_its_owner(worlds: Callable[[], World]) -> None:
    world = worlds()
    first, *_ = await insert_waiting(world, 3)
    await world.sql("UPDATE file SET stage = 'parsing', enqueued_attempt = 1 WHERE id = $1", first)
    others = await insert_waiting(world, 1)
    begun, running = list[UUID](), {first}

    async def begin(file_id: UUID, _attempt: int) -> None:
        begun.append(file_id)
        running.add(file_id)

    async with enqueuer_of(world, begin, running, concurrency=2) as enqueuer:
        await enqueuer.begin_waiting()
        assert begun == others
        running.remove(others[0])
        await enqueuer.begin_waiting()
        assert begun == others  # the place that is left is not for whoever has one


@pytest.mark.asyncio(loop_scope="module")
async def test_a_file_that_comes_amid_a_look_leaves_the_place_of_small_files_free(
    worlds: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = worlds()
    first, *_ = await insert_waiting(world, 2)
    await world.sql("UPDATE file SET stage = 'parsing', enqueued_attempt = 1 WHERE id = $1", first)
    begun, running, late, look = list[UUID](), {first}, list[UUID](), repository.waiting

    async def begin(file_id: UUID, _attempt: int) -> None:
        begun.append(file_id)
        running.add(file_id)

    async def look_and_upload(*arguments: Any, **options: Any) -> Any:
        found = await look(*arguments, **options)
        if not late:
            late.extend(await insert_waiting(world, 2, size_bytes=1000))
        return found

    monkeypatch.setattr(repository, "waiting", look_and_upload)
    async with enqueuer_of(world, begin, running, concurrency=2) as enqueuer:
        await enqueuer.begin_waiting()
        assert begun == late[:1]
        others = await insert_waiting(world, 1, size_bytes=1000)
        await enqueuer.begin_waiting()
        assert begun == late[:1] + others


@pytest.mark.asyncio(loop_scope="module")
async def test_time_that_a_file_waited_is_no_silence(worlds: Callable[[], World]) -> None:
    world = worlds()
    await insert_waiting(world, 1)
    await world.sql("UPDATE file SET updated_at = now() - interval '2 hours'")

    async def begin(_file_id: UUID, _attempt: int) -> None:
        pass

    async with enqueuer_of(world, begin, set()) as enqueuer:
        await enqueuer.begin_waiting()
    database = Database(world.database.app_url, schema="retrieval", pool_max=1)
    async with database.transaction() as session:
        assert (
            await progress.unfinished(session, quiet_before=utc_now() - timedelta(minutes=2), limit=10) == []
        )
    await database.dispose()
