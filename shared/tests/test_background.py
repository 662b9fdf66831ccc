"""Detached work: whose failure is heard by whom."""

import asyncio
import logging

import pytest
from shared.background import Periodic, TaskTracker, beside


async def test_work_beside_a_block_is_there_when_it_is_needed_and_ends_with_it() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def never() -> None:
        await asyncio.Event().wait()

    async with beside(answer(), "answer") as task:
        assert await task == 42
    with pytest.raises(ValueError, match="the block"):
        async with beside(never(), "never") as waiting:
            raise ValueError("the block")
    assert waiting.cancelled()


async def failing(gate: asyncio.Event) -> None:
    await gate.wait()
    raise ValueError("wrong")


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_failure_that_nobody_awaits_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks, gate = TaskTracker(), asyncio.Event()
    tasks.spawn(failing(gate), "lonely")
    gate.set()
    await tasks.drain(1)
    assert logged(caplog) == ["background task lonely failed"]


async def test_a_failure_that_reaches_its_caller_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks, gate = TaskTracker(), asyncio.Event()
    gate.set()
    with pytest.raises(ValueError, match="wrong"):
        await tasks.complete(failing(gate), "asked for")
    with pytest.raises(ValueError, match="wrong"):
        await tasks.spawn(failing(gate), "shared by several", claimed=True)
    assert logged(caplog) == []


async def test_work_outlives_a_cancelled_caller_and_its_failure_is_logged_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks, gate = TaskTracker(), asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await tasks.complete(failing(gate), "left")
    assert len(tasks) == 1
    gate.set()
    await tasks.drain(1)
    assert logged(caplog) == ["background task left failed"]


@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_failure_in_the_moment_its_caller_is_cancelled_is_heard_once(
    caplog: pytest.LogCaptureFixture, steps: int
) -> None:
    tasks, gate = TaskTracker(), asyncio.Event()
    gate.set()
    caller = asyncio.ensure_future(tasks.complete(failing(gate), "cut"))
    for _ in range(steps):
        await asyncio.sleep(0)
    caller.cancel()
    [ended] = await asyncio.gather(caller, return_exceptions=True)
    await tasks.drain(1)
    assert logged(caplog) == ([] if isinstance(ended, ValueError) else ["background task cut failed"])


async def test_a_job_that_meets_an_outage_says_so_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    turns = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal turns
        turns += 1
        if turns >= 6:
            enough.set()
        if turns in {1, 2, 3, 5}:
            raise ConnectionRefusedError

    job = Periodic("ticks", 0, work)
    with caplog.at_level(logging.WARNING):
        job.start()
        await asyncio.wait_for(enough.wait(), 20)
        await job.close()
    assert [record.getMessage() for record in caplog.records] == [
        "periodic job ticks cannot reach what it needs; it tries again"
    ] * 2
    assert logged(caplog) == []


async def test_a_job_that_fails_for_another_reason_is_logged_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = asyncio.Event()

    async def work() -> None:
        if len(logged(caplog)) >= 2:
            failed.set()
        raise ValueError("wrong")

    job = Periodic("ticks", 0, work)
    job.start()
    await asyncio.wait_for(failed.wait(), 20)
    await job.close()
    assert len(logged(caplog)) >= 2


async def test_a_job_may_wait_before_its_first_turn() -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        turns += 1

    for first_after_s, expected in ((3600, 0), (0, 1)):
        job = Periodic("later", 3600, work, first_after_s=first_after_s)
        job.start()
        for _ in range(10):
            await asyncio.sleep(0)
        await job.close()
        assert turns == expected
