"""What a process of one version leaves unfinished, and how one of another version continues with it."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from shared.db import postgres_url
from shared.durable import DurableEngine
from suite.waiting import eventually
from upgrades import OTHERS, QUEUE, Order, World

from shared import durable

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

GONE_AFTER_S = 0.5


async def taken_over(engine: DurableEngine, *ids: str) -> None:
    """Look until all these were taken over, and once each."""
    seen: list[str] = []

    async def all_taken() -> bool:
        seen.extend(await engine.take_over())
        return len(seen) >= len(ids)

    await eventually(all_taken)
    assert sorted(seen) == sorted(ids)


async def all_done(engine: DurableEngine, *ids: str) -> None:
    async def done() -> bool:
        return [await engine.state(workflow_id) for workflow_id in ids] == ["done"] * len(ids)

    await eventually(done)


def begin(kind: str, *ids: str, queue: str | None = None) -> list[Order]:
    return [(kind, workflow_id, queue) for workflow_id in ids]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def maker() -> AsyncGenerator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", OTHERS, stdin=pipe, stdout=pipe)
    yield process
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


@pytest_asyncio.fixture(loop_scope="module")
async def world(
    service_database: Callable[[str], Any],
    maker: asyncio.subprocess.Process,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[World]:
    monkeypatch.setattr(durable, "_GONE_AFTER_S", GONE_AFTER_S)
    log = tmp_path / "log"
    log.touch()
    made = World(service_database("agent-service").app_url, log, maker)
    yield made
    for other in made.others:
        await other.kill()


async def test_work_in_every_state_is_finished_by_the_next_version_and_nothing_is_done_twice(
    world: World,
) -> None:
    orders = [
        *begin("steps", "running"),
        *begin("asks", "asking", "told"),
        *begin("send", "told"),
        *begin("sleeps", "asleep"),
    ]
    old = await world.other(*orders, *begin("steps", "q-1", "q-2", queue=QUEUE), at="step 2")
    await world.until(
        "running 2 begun by 1",
        "asking asks in 1",
        "told heard yes in 1",
        "asleep sleeps in 1",
        "q-1 2 begun by 1",
    )
    await old.kill()
    async with world.engine() as engine:
        ids = ("running", "asking", "told", "asleep", "q-1", "q-2")
        assert [await engine.state(workflow_id) for workflow_id in ids] == ["running"] * 5 + ["waiting"]
        await engine.send("asking", "answer", "late", key="l")  # nobody hears it yet, and it is not lost
        await taken_over(engine, *ids)
        await all_done(engine, *ids)
        assert await engine.take_over() == []
    done = world.done()
    assert sorted(done) == sorted(
        f"{name} {number}" for name in ("running", "q-1", "q-2") for number in range(4)
    )
    assert done.index("q-1 3") < done.index(
        "q-2 0"
    )  # the queue still lets one run at a time, in the old order
    assert {"asking heard late in 2", "told heard yes in 2", "asleep woke in 2"} <= set(world.lines)


async def test_what_a_living_process_of_another_version_works_on_is_left_alone_until_it_is_gone(
    world: World,
) -> None:
    orders = [
        *begin("steps", "running"),
        *begin("asks", "asking"),
        *begin("steps", "q-1", "q-2", queue=QUEUE),
    ]
    old = await world.other(*orders, at="step 1")
    await world.until("running 1 begun by 1", "asking asks in 1", "q-1 1 begun by 1")
    async with world.engine() as engine:
        for _ in range(4):
            assert await engine.take_over() == []
            await asyncio.sleep(GONE_AFTER_S / 2)
        assert await engine.state("q-2") == "waiting"
        await old.kill()
        assert await engine.take_over() == []  # it may be back in a moment
        await taken_over(engine, "running", "asking", "q-1", "q-2")


async def test_unfinished_work_of_the_same_version_is_left_to_its_own_process(world: World) -> None:
    other = await world.other(*begin("steps", "running"), version="2", at="step 1")
    await world.until("running 1 begun by 2")
    async with world.engine() as engine:
        await other.kill()
        for _ in range(3):
            assert await engine.take_over() == []
            await asyncio.sleep(GONE_AFTER_S / 2)
        assert await engine.state("running") == "running"


async def test_an_older_version_goes_on_with_what_a_newer_one_left_when_an_upgrade_is_taken_back(
    world: World,
) -> None:
    newer = await world.other(*begin("steps", "running"), version="3", at="step 1")
    await world.until("running 1 begun by 3")
    await newer.kill()
    async with world.engine() as engine:
        await taken_over(engine, "running")
        await all_done(engine, "running")
    assert world.done() == [f"running {number}" for number in range(4)]


async def test_replicas_that_look_at_the_same_time_begin_each_workflow_once(world: World) -> None:
    ids = [f"w-{number}" for number in range(12)]
    old = await world.other(*begin("steps", *ids), at="step 0")
    await world.until(*(f"{workflow_id} 0 begun by 1" for workflow_id in ids))
    await old.kill()
    async with world.engine() as engine:
        await engine.take_over()
        await asyncio.sleep(GONE_AFTER_S)
        found = await asyncio.gather(*(engine.take_over() for _ in range(4)))
        assert sorted(workflow_id for taken in found for workflow_id in taken) == sorted(ids)
        await all_done(engine, *ids)
    assert len(world.done()) == 48


async def test_killed_at_every_point_of_a_take_over_the_next_process_ends_the_work_with_everything_once(
    world: World,
) -> None:
    old = await world.other(
        *begin("asks", "told"), *begin("send", "told"), *begin("steps", "running"), at="step 2"
    )
    await world.until("told heard yes in 1", "running 2 begun by 1")
    await old.kill()
    for point in (
        "UPDATE agent_dbos.workflow_status",
        "DELETE FROM agent_dbos.operation_outputs",
        "UPDATE agent_dbos.notifications",
    ):
        taker = await world.other(*begin("take over", ""), version="2", at=point)
        await taker.died()
        assert "took over" not in world.lines, point
    taker = await world.other(*begin("take over", ""), version="2", at="nowhere")
    await taker.died()
    assert "took over" in world.lines
    async with world.engine(version="3") as engine:
        await taken_over(engine, "told", "running")
        await all_done(engine, "told", "running")
    assert sorted(set(world.done())) == [f"running {number}" for number in range(4)]
    assert "told heard yes in 2" in world.lines


@pytest.mark.parametrize(("at", "end"), [("slow 1", "done by"), ("fail 1", "failed in")])
async def test_a_process_that_was_taken_for_gone_ends_its_step_and_begins_no_other(
    world: World, at: str, end: str
) -> None:
    old = await world.other(*begin("steps", "running"), at=at)
    await world.until("running 1 begun by 1")
    old.signal(signal.SIGSTOP)
    connection = await asyncpg.connect(postgres_url(world.url))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'agent-service:%'"
    )
    await connection.close()
    async with world.engine() as engine:
        await taken_over(engine, "running")
        await all_done(engine, "running")
        old.signal(signal.SIGCONT)
        await world.until(f"running 1 {end} 1")
        await asyncio.sleep(0.5)
        assert await engine.state("running") == "done"
    assert old.lives()
    assert [line for line in world.lines if line.endswith("begun by 1")] == [
        "running 0 begun by 1",
        "running 1 begun by 1",
    ]
