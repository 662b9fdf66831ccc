"""Runs that one version of the workflows leaves to the next."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from shared.db import postgres_url

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]


@pytest_asyncio.fixture(loop_scope="module")
async def sql(runs_fields: dict[str, Any]) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        postgres_url(runs_fields["database_url"]), server_settings={"search_path": "agent"}
    )
    yield connection
    await connection.close()


async def awaiting_approval(person: Any, others: Any, play: Any) -> tuple[str, str]:
    """A run and the call it waits for a person with."""
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 2, "b": 2}), text="I add."), play.says("Four.")]
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool":
                return run_id, event.data["call_id"]
    raise AssertionError("the run asked nobody")


async def approve(person: Any, run_id: str, call_id: str) -> None:
    url = f"/api/v1/agents/runs/{run_id}/approvals/{call_id}"
    (await person.http.post(url, json={"decision": "approve"})).raise_for_status()


def attempts(run: dict[str, Any]) -> list[tuple[int, int, str]]:
    return [(step["step"], step["attempt"], step["status"]) for step in run["steps"]]


DONE_ONCE = [(1, 1, "done"), (2, 1, "done"), (3, 1, "done")]


async def begun_by(sql: asyncpg.Connection, run_id: str) -> str | None:
    query = "SELECT application_version FROM agent_dbos.workflow_status WHERE workflow_uuid = $1"
    return await sql.fetchval(query, f"run-{run_id}")


async def sessions(sql: asyncpg.Connection) -> int:
    """How many processes have their engine running."""
    query = (
        "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE application_name LIKE "
        "'agent-service:%'"
    )
    return await sql.fetchval(f"{query} AND datname = current_database()")


@pytest.mark.parametrize("when", ["before", "between", "after"])
async def test_a_run_that_awaits_approval_hears_the_decision_whenever_it_comes(
    processes: Any, others: Any, play: Any, sql: asyncpg.Connection, when: str
) -> None:
    await processes.start(version=1)
    person = processes.person()
    run_id, call_id = await awaiting_approval(person, others, play)
    if when == "before":
        # The process dies with the decision stored, and nobody told.
        await processes.end(signal.SIGKILL)
        await sql.execute(
            "UPDATE run_step SET decision = 'approve' WHERE run_id = $1 AND call_id = $2",
            UUID(run_id),
            call_id,
        )
    else:
        await processes.end(signal.SIGTERM)
    await processes.start(version=2)
    if when == "between":
        await approve(person, run_id, call_id)
        assert await begun_by(sql, run_id) == "1"
    if when == "after":

        async def taken_over() -> bool:
            return await begun_by(sql, run_id) == "2"

        await play.until(taken_over)
        assert (await person.get(run_id))["status"] == "awaiting_approval"
        await approve(person, run_id, call_id)
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["output"], attempts(run)) == ("I add.\n\nFour.", DONE_ONCE)
    events = await person.events(run_id)
    assert [event.id for event in events] == list(range(1, run["last_event_id"] + 1))
    assert processes.log.read_text().split("\n").count("end add 2") == 1
    assert len(others.requests) == 2


async def test_an_approval_is_not_waited_for_longer_because_of_an_upgrade(
    processes: Any, others: Any, play: Any, sql: asyncpg.Connection
) -> None:
    await processes.start(version=1)
    person = processes.person()
    run_id, _ = await awaiting_approval(person, others, play)
    await processes.end(signal.SIGKILL)
    await sql.execute(
        "UPDATE run_step SET started_at = started_at - interval '1 day' WHERE run_id = $1", UUID(run_id)
    )
    await processes.start(version=2)
    run = await person.until_status(run_id, "complete", "failed")
    assert [step["status"] for step in run["steps"]] == ["done", "denied", "done"]


async def test_a_run_in_mid_work_goes_on_from_its_last_step_at_each_upgrade(
    processes: Any, others: Any, play: Any
) -> None:
    await processes.start(version=1)
    person = processes.person()
    agent = await person.new_agent("slow", "publish")
    cut = asyncio.Event()  # never set: its attempts are cut
    others.plans += [play.calls(("slow", {"a": 1}), text="First."), play.says("half", until=cut)]
    others.plans += [play.calls(("publish", {}), text="Second."), play.says("Done.")]
    with pytest.raises(Exception, match=r".*"):
        async with person.stream(agent) as (run_id, events):
            async for event in events:
                if event.event == "delta" and event.data["text"].strip() == "half":
                    await processes.end(signal.SIGKILL)
    await processes.start(version=2)

    async def publishing() -> bool:
        return "begin publish" in processes.log.read_text()

    await play.until(publishing)
    await processes.end(signal.SIGKILL)
    await processes.start(version=3)
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["status"], run["output"]) == ("complete", "First.\n\nSecond.\n\nDone.")
    tool_cut = [(4, 1, "cut"), (4, 2, "failed")]  # not repeatable: it may have had its effect
    assert attempts(run) == [
        (1, 1, "done"),
        (2, 1, "done"),
        (3, 1, "cut"),
        (3, 2, "done"),
        *tool_cut,
        (5, 1, "done"),
    ]
    events = await person.events(run_id)
    assert [event.id for event in events] == list(range(1, run["last_event_id"] + 1))
    assert play.text_of(events) == run["output"]
    lines = processes.log.read_text().split("\n")
    assert [line for line in lines if line.startswith("begin")] == ["begin slow 1", "begin publish"]


async def test_a_replica_of_the_old_version_ends_what_it_is_at_while_the_new_one_runs(
    processes: Any, others: Any, play: Any, sql: asyncpg.Connection
) -> None:
    await processes.start(version=1)
    person = processes.person()
    go_on = asyncio.Event()
    others.plans += [play.says("word", until=go_on)]
    async with person.stream(await person.new_agent()) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                await processes.start(version=2)

                async def both() -> bool:
                    return await sessions(sql) == 2

                await play.until(both)
                await asyncio.sleep(
                    2
                )  # several looks of the new one, and longer than a lost process is waited for
                go_on.set()
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["output"], attempts(run)) == ("word", [(1, 1, "done")])
    assert (await begun_by(sql, run_id), others.cancelled) == ("1", 0)
