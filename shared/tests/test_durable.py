"""Durable workflows: recorded steps, queues, cancellation, and what a process that died leaves to
the next.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from shared.db import postgres_url
from shared.durable import DurableEngine, Queue, StepFailedError
from suite.waiting import eventually

from shared import durable

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Trace:
    """What workflows of these tests did, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.task: Any = None

    async def note(self, word: str) -> str:
        self.done.append(word)
        return word


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def url(service_database: Callable[[str], Any]) -> str:
    return service_database("agent-service").app_url


def engine_of(url: str, version: str = "1") -> DurableEngine:
    return DurableEngine(
        service="agent-service", database_url=url, schema="agent_dbos", version=version, executor_id="test"
    )


@pytest_asyncio.fixture(loop_scope="module")
async def running(url: str) -> AsyncGenerator[tuple[DurableEngine, Trace]]:
    engine, trace = engine_of(url), Trace()

    async def three(argument: Any) -> None:
        for number in range(3):
            await durable.step(f"note {number}", lambda number=number: trace.note(f"{argument}-{number}"))

    async def failing(argument: Any) -> None:
        async def fail() -> str:
            await trace.note(argument)
            raise ValueError("the work cannot be done")

        await durable.step("fail", fail, attempts=2, pause_s=0.01)

    async def waiting(argument: Any) -> None:
        trace.task = asyncio.current_task()
        await durable.step("wait", trace.gate.wait)
        await durable.step("after", lambda: trace.note("after"))

    async def asking(argument: Any) -> None:
        await trace.note(str(await durable.receive("answer", timeout_s=10)))

    for kind, workflow in {"three": three, "failing": failing, "waiting": waiting, "asking": asking}.items():
        engine.register(kind, workflow)
    engine.add_queue(Queue("one at a time", 1))
    await engine.launch()
    try:
        yield engine, trace
    finally:
        await engine.close()
        # Who is closed after the engine works in threads too.
        assert await asyncio.to_thread(lambda: "worked") == "worked"


async def test_what_is_asked_before_the_engine_runs_is_done_when_it_does(url: str) -> None:
    engine, trace = engine_of(url), Trace()

    async def early(argument: Any) -> None:
        await trace.note(f"{argument} {await durable.receive('answer', timeout_s=10)}")

    engine.register("early", early)
    await engine.start("early", "asked", workflow_id="early-1")
    await engine.send("early-1", "answer", "answered", key="early-1")
    assert trace.done == []
    await engine.launch()
    try:
        await eventually(lambda: _done(engine, "early-1"))
        assert trace.done == ["asked answered"]
    finally:
        await engine.close()
    await engine.start(
        "early", "too late", workflow_id="early-2"
    )  # its asker is answered; the next process finds what it wrote


async def _done(engine: DurableEngine, workflow_id: str) -> bool:
    return await engine.state(workflow_id) == "done"


async def test_a_workflow_runs_its_steps_once(running: tuple[DurableEngine, Trace]) -> None:
    engine, trace = running
    await engine.start("three", "a", workflow_id="three-a")
    await engine.start("three", "a", workflow_id="three-a")

    async def done() -> bool:
        return await engine.state("three-a") == "done"

    await eventually(done)
    assert trace.done == ["a-0", "a-1", "a-2"]


async def test_a_step_that_fails_is_tried_again_and_then_fails_its_workflow(
    running: tuple[DurableEngine, Trace],
) -> None:
    engine, trace = running
    await engine.start("failing", "x", workflow_id="failing-x")

    async def failed() -> bool:
        return await engine.state("failing-x") == "failed"

    await eventually(failed)
    assert trace.done == ["x", "x"]


async def test_a_queue_runs_one_at_a_time_and_a_waiting_workflow_can_be_cancelled(
    running: tuple[DurableEngine, Trace],
) -> None:
    engine, trace = running
    await engine.start("waiting", None, workflow_id="queued-1", queue="one at a time")

    async def first_runs() -> bool:
        return await engine.state("queued-1") == "running"

    await eventually(first_runs)
    await engine.start("three", "b", workflow_id="queued-2", queue="one at a time")
    await asyncio.sleep(0.5)
    assert await engine.state("queued-2") == "waiting"
    await engine.cancel("queued-2")
    trace.gate.set()

    async def first_done() -> bool:
        return await engine.state("queued-1") == "done"

    await eventually(first_done)
    assert await engine.state("queued-2") == "cancelled"
    assert trace.done == ["after"]


async def test_what_was_claimed_from_a_queue_and_not_started_is_started(
    running: tuple[DurableEngine, Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trace = running
    monkeypatch.setattr(durable, "_GONE_AFTER_S", 0.2)

    claimed, loop = asyncio.Event(), asyncio.get_running_loop()

    def lost(*_: Any) -> None:
        loop.call_soon_threadsafe(claimed.set)
        raise OSError("the database went away")

    with monkeypatch.context() as away:
        away.setattr("dbos._queue.execute_dequeued_workflow", lost)
        await engine.start("three", "c", workflow_id="claimed", queue="one at a time")
        await claimed.wait()
    assert await engine.state("claimed") == "running"
    await _looked_after(engine, "claimed")
    assert trace.done == ["c-0", "c-1", "c-2"]


async def test_a_workflow_that_somebody_cancelled_from_without_continues(
    running: tuple[DurableEngine, Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trace = running
    monkeypatch.setattr(durable, "_GONE_AFTER_S", 0.2)
    task = await engine.start("waiting", None, workflow_id="cut")
    assert task is not None
    await eventually(lambda: _is(engine, "cut", "running"))
    trace.task.cancel()
    trace.gate.set()
    await _looked_after(engine, "cut")
    assert trace.done == ["after"]


async def test_what_runs_here_or_may_run_in_a_process_of_the_same_name_is_left_alone(
    running: tuple[DurableEngine, Trace], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, trace = running
    monkeypatch.setattr(durable, "_GONE_AFTER_S", 0)
    await engine.start("waiting", None, workflow_id="runs")
    await eventually(lambda: _is(engine, "runs", "running"))
    assert "runs" not in await engine.take_over()
    trace.task.cancel()
    name = durable._session_name("agent-service", "1", "test")
    other = await asyncpg.connect(postgres_url(url), server_settings={"application_name": name})
    for _ in range(3):
        assert "runs" not in await engine.take_over()
    await other.close()
    trace.gate.set()
    await _looked_after(engine, "runs")


async def _is(engine: DurableEngine, workflow_id: str, state: str) -> bool:
    return await engine.state(workflow_id) == state


async def _looked_after(engine: DurableEngine, workflow_id: str) -> None:
    """Until it is done, by looking as the sweepers do."""

    async def done() -> bool:
        await engine.take_over()
        return await engine.state(workflow_id) == "done"

    await eventually(done)


async def test_a_message_is_received_once(running: tuple[DurableEngine, Trace]) -> None:
    engine, trace = running
    await engine.start("asking", None, workflow_id="asking-1")
    await engine.send("asking-1", "answer", {"decision": "approve"}, key="k")
    await engine.send("asking-1", "answer", {"decision": "approve"}, key="k")

    async def answered() -> bool:
        return bool(trace.done)

    await eventually(answered)
    assert trace.done == ["{'decision': 'approve'}"]


async def test_unknown_workflows_have_no_state(running: tuple[DurableEngine, Trace]) -> None:
    assert await running[0].state("nobody") is None


async def test_failures_are_recorded_as_plain_data_and_never_as_code() -> None:
    json = durable._Json()
    text = json.serialize(ValueError("no such file"))
    assert "pickle" not in text
    found = json.deserialize(text)
    assert isinstance(found, StepFailedError)
    assert (found.kind, str(found)) == ("ValueError", "no such file")


_CHILD = """
import asyncio, signal, sys
from shared import durable
from shared.durable import DurableEngine

async def main(url, log, stop_after):
    async def ten(argument):
        for number in range(10):
            async def work(number=number):
                with open(log, "a") as sink:
                    sink.write(f"{number}\\n")
                if number == stop_after:
                    await asyncio.sleep(60)
                return number
            await durable.step(f"step {number}", work)
        with open(log, "a") as sink:
            sink.write("end\\n")
    engine = DurableEngine(service="agent-service", database_url=url, schema="agent_dbos", version="1",
        executor_id="child")
    engine.register("ten", ten)
    await engine.launch()
    await engine.start("ten", None, workflow_id="ten")
    while "end" not in open(log).read():
        await asyncio.sleep(0.05)
    await engine.close()

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.parametrize(
    "ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name
)
async def test_a_process_that_ends_in_a_step_leaves_the_rest_to_the_next(
    ending: signal.Signals, service_database: Callable[[str], Any], tmp_path: Path
) -> None:
    url, log = service_database("agent-service").app_url, tmp_path / "log"
    log.touch()

    async def child(stop_after: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, url, str(log), str(stop_after), env=dict(os.environ)
        )

    first = await child(4)

    async def at_four() -> bool:
        return "4" in log.read_text()

    await eventually(at_four)
    first.send_signal(ending)
    await first.wait()
    second = await child(-1)
    assert await second.wait() == 0
    assert log.read_text().split() == ["0", "1", "2", "3", "4", "4", "5", "6", "7", "8", "9", "end"]
