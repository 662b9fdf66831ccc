"""What survives when the process dies or shuts down in the middle of a run."""

import asyncio
import re
import signal
from typing import Any

import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

ROUNDS = 5
TOOL_STEPS = range(2, 2 * ROUNDS + 1, 2)


class Suspense:
    """Scripted inference of a run with ROUNDS tool calls: it stops in the middle of the first attempt of each
    step it is told to.
    """

    def __init__(self, others: Any, play: Any) -> None:
        self.play = play
        self.pauses = asyncio.Semaphore(0)
        self.paused = 0
        others.default = self.answer

    async def answer(self, others: Any, dispatch: Any) -> None:
        done = sum(message["role"] == "tool" for message in dispatch.body["messages"])
        if self.pauses.locked():
            await self._whole(others, dispatch, done)
            return
        await self.pauses.acquire()
        await dispatch.begin()
        await dispatch.text("half a thought")
        self.paused += 1
        await asyncio.Event().wait()

    async def _whole(self, others: Any, dispatch: Any, done: int) -> None:
        if done < ROUNDS:
            plan = self.play.calls(("slow", {"a": f"round-{done}"}), text=f"Round {done}.")
        else:
            plan = self.play.says("All", " done", ".")
        await plan(others, dispatch)


def whole_text() -> str:
    return "\n\n".join([*(f"Round {number}." for number in range(ROUNDS)), "All done."])


async def test_a_run_killed_in_every_step_ends_by_itself_with_everything_once(
    processes: Any, others: Any, play: Any
) -> None:
    suspense = Suspense(others, play)
    await processes.start()
    person = processes.person()
    agent = await person.new_agent("slow")
    suspense.pauses.release()
    run_id = ""
    with pytest.raises(Exception, match=r".*"):
        async with person.stream(agent) as (run_id, events):
            async for event in events:
                if event.event == "delta":
                    await processes.end(signal.SIGKILL)
    for step in range(2, 2 * ROUNDS + 2):
        if step % 2:
            suspense.pauses.release()
        await processes.start()
        expected = step // 2 + 1

        async def under_way(step: int = step, expected: int = expected) -> bool:
            if step % 2:
                return suspense.paused == expected and bool(
                    (await person.get(run_id))["steps"][-1]["dispatch_id"]
                )
            return f"begin slow round-{step // 2 - 1}" in processes.log.read_text()

        await play.until(under_way)
        await processes.end(signal.SIGKILL)
    await processes.start()
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["status"], run["error"], run["output"]) == ("complete", None, whole_text())
    events = await person.events(run_id)
    assert [event.id for event in events] == list(range(1, run["last_event_id"] + 1))
    assert play.text_of(events) == whole_text()
    assert events[-1].event == "done"
    _assert_each_step_counts_once(run, events)
    lines = processes.log.read_text().split("\n")
    assert [line for line in lines if line.startswith("end")] == [
        f"end slow round-{number}" for number in range(ROUNDS)
    ]
    # Of each model step one attempt was cut (30) and one went through (100).
    dispatched = [step["dispatch_id"] for step in run["steps"] if step["kind"] == "model"]
    assert sorted(dispatched) == sorted(others.charges)
    await person.until_cost(run_id, sum(others.charges.values()))
    assert sum(others.charges.values()) == (ROUNDS + 1) * 130


def _assert_each_step_counts_once(run: dict[str, Any], events: list[Any]) -> None:
    done = [step["step"] for step in run["steps"] if step["status"] == "done"]
    assert done == list(range(1, 2 * ROUNDS + 2))
    cut = [(step["step"], step["attempt"]) for step in run["steps"] if step["status"] == "cut"]
    assert cut == [(step, 1) for step in range(1, 2 * ROUNDS + 2)]
    begun = [(event.data["step"], event.data["attempt"]) for event in events if event.event == "step"]
    assert begun == [(step, attempt) for step in range(1, 2 * ROUNDS + 2) for attempt in (1, 2)]
    ended = [
        event.data["call_id"] for event in events if event.event == "tool" and event.data["status"] == "done"
    ]
    assert len(ended) == len(set(ended)) == ROUNDS


async def test_a_call_that_may_not_be_repeated_is_told_as_interrupted(
    processes: Any, others: Any, play: Any
) -> None:
    await processes.start()
    person = processes.person()
    agent = await person.new_agent("publish")
    others.plans += [play.calls(("publish", {})), play.says("It was interrupted.")]
    with pytest.raises(Exception, match=r".*"):
        async with person.stream(agent) as (run_id, events):
            async for event in events:
                if event.event == "tool":
                    await play.until(lambda: _has(processes, "begin publish"))
                    await processes.end(signal.SIGKILL)
    await processes.start()
    run = await person.until_status(run_id, "complete", "failed")
    assert run["output"] == "It was interrupted."
    call = [step for step in run["steps"] if step["kind"] == "tool"]
    assert [(step["attempt"], step["status"]) for step in call] == [(1, "cut"), (2, "failed")]
    assert "interrupted" in others.requests[-1]["messages"][-1]["content"]
    assert re.findall("publish", processes.log.read_text()) == ["publish"]


async def _has(processes: Any, line: str) -> bool:
    return line in processes.log.read_text()


async def test_an_approval_survives_the_process_that_asked_for_it(
    processes: Any, others: Any, play: Any
) -> None:
    await processes.start()
    person = processes.person()
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 2, "b": 2})), play.says("Four.")]
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool":
                break
    await processes.end(signal.SIGKILL)
    await processes.start()
    run = await person.get(run_id)
    assert run["status"] == "awaiting_approval"
    call_id = run["steps"][-1]["call_id"]
    url = f"/api/v1/agents/runs/{run_id}/approvals/{call_id}"
    (await person.http.post(url, json={"decision": "approve"})).raise_for_status()
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["output"], [step["status"] for step in run["steps"]]) == ("Four.", ["done", "done", "done"])


async def test_a_shutdown_ends_streams_and_leaves_the_run_to_the_next_process(
    processes: Any, others: Any, play: Any
) -> None:
    await processes.start()
    person = processes.person()
    agent = await person.new_agent("slow")
    others.plans += [play.says("never", " ends", until=asyncio.Event()), play.says("It ended.")]
    seen: list[Any] = []
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            seen.append(event)
            if event.event == "delta":
                stopping = asyncio.ensure_future(processes.end(signal.SIGTERM))
    await stopping
    assert seen[-1].event != "done"
    await processes.start()
    run = await person.until_status(run_id, "complete", "failed")
    assert run["output"] == "It ended."
    seen += await person.events(run_id, after=seen[-1].id)
    assert [event.id for event in seen] == list(range(1, run["last_event_id"] + 1))
    assert play.text_of(seen) == "It ended."
    await person.until_cost(run_id, 130)


async def test_a_process_that_dies_before_an_answer_begins_leaves_its_cost_to_the_next(
    processes: Any, others: Any, play: Any
) -> None:
    asked = asyncio.Event()

    async def never_begins(others: Any, dispatch: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    others.plans += [never_begins]
    await processes.start()
    person = processes.person()
    async with person.stream(await person.new_agent()) as (run_id, _):
        await asyncio.wait_for(asked.wait(), 20)
        await processes.end(signal.SIGKILL)
    await processes.start()
    await person.until_status(run_id, "complete")
    await person.until_cost(run_id, 130)
    assert sorted(others.charges.values()) == [30, 100]
