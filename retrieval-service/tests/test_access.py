"""Who loses access has nothing more read for them, in whichever process it runs, and can start it again
later.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from identities import make_principal
from ingestion_world import FILES, Person, Service, World, unique, worlds_over
from shared.access import ACCESS_CHANNEL
from shared.auth.permissions import Role
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[World]:
    async with worlds_over(service_database, tmp_path_factory, embedding_model_folder) as make:
        yield make()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(world: World) -> AsyncGenerator[Service]:
    async with world.service(ingestion_concurrency=1) as running:
        async with asyncio.timeout(20):
            await running.state.access.listening.wait()
        yield running


async def announce(world: World, topic: str, **payload: Any) -> None:
    message = json.dumps({"id": str(uuid7()), "topic": topic, "key": "k", "payload": payload})
    await world.sql(f"SELECT pg_notify('{ACCESS_CHANNEL}', $1)", message)


async def under_way(world: World, person: Person) -> tuple[str, str]:
    """A file that is being embedded and one that waits."""
    world.inference.held[str(person.principal.user_id)] = asyncio.Event()
    running = await person.upload(unique(), "running.txt")
    await person.until(running, "embedding")
    return running, await person.upload(unique(), "waiting.txt")


def release(world: World, person: Person) -> None:
    world.inference.held.pop(str(person.principal.user_id)).set()


async def test_a_suspended_persons_files_stop_and_can_be_started_again(
    world: World, service: Service
) -> None:
    person, other = service.person(), service.person()
    files = await under_way(world, person)
    await announce(world, "account.suspended", user_id=str(person.principal.user_id))
    for name in files:
        file = await person.until(name, "cancelled", within_s=5)
        assert file["error"]["code"] == "account_suspended"
        assert "suspended" in file["error"]["detail"]
    assert await world.passages(files[0]) == []
    await other.until(await other.upload(unique()), "ready")  # nobody else's ends, and the place is free
    await announce(world, "account.suspended", user_id=str(person.principal.user_id))  # as it is repeated
    release(world, person)
    for name in files:
        assert (await person.http.post(f"{FILES}/{name}/retry")).status_code == 200
        assert (await person.until(name, "ready"))["error"] is None


async def test_what_was_started_under_a_revoked_key_stops_and_nothing_else_of_the_person(
    world: World, service: Service
) -> None:
    key_id = uuid7()
    by_hand = service.person()
    under_key = service.person(make_principal(user_id=by_hand.principal.user_id, key_id=key_id))
    own = await by_hand.upload("by hand", "own.txt")
    await by_hand.until(own, "ready")
    running, waiting = await under_way(world, under_key)
    mine = await by_hand.upload(unique(), "mine.txt")
    await announce(world, "key.revoked", key_id=str(key_id), user_id=str(by_hand.principal.user_id))
    for name in (running, waiting):
        assert (await by_hand.until(name, "cancelled", within_s=5))["error"]["code"] == "key_revoked"
    release(world, under_key)
    await by_hand.until(mine, "ready")


@pytest.mark.parametrize(("role", "stage"), [(Role.PENDING, "cancelled"), (Role.TEAM_ADMIN, "ready")])
async def test_a_role_ends_what_it_does_not_permit(
    world: World, service: Service, role: Role, stage: str
) -> None:
    person = service.person()
    running, waiting = await under_way(world, person)
    await announce(world, "account.role_changed", user_id=str(person.principal.user_id), role=role.value)
    if stage == "cancelled":
        assert (await person.until(running, "cancelled", within_s=5))["error"]["code"] == "role_changed"
    release(world, person)
    await person.until(running, stage)
    await person.until(waiting, stage)


async def test_what_is_done_stays(world: World, service: Service) -> None:
    person = service.person()
    name = await person.upload("some words")
    await person.until(name, "ready")
    await announce(world, "account.suspended", user_id=str(person.principal.user_id))
    running, _ = await under_way(world, other := service.person())
    await announce(world, "account.suspended", user_id=str(other.principal.user_id))
    assert (await other.until(running, "cancelled", within_s=5))["error"]["code"] == "account_suspended"
    assert (await person.file(name))["stage"] == "ready"
    assert (await world.sql("SELECT cancel_requested FROM file WHERE id = $1", UUID(name)))[0][0] is False
    release(world, other)
