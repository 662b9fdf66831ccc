"""What one process leaves undone and another, or the same one later, finds."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from agent_service.events.live import LiveRuns
from agent_service.loop.sweeper import Sweeper
from shared.auth.principal import DEFAULT_ORGANISATION_ID, DEFAULT_TEAM_ID
from shared.contracts.agents import ASSISTANT_AGENT_ID
from shared.db import postgres_url

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def sql(runs_fields: dict[str, Any]) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        postgres_url(runs_fields["database_url"]), server_settings={"search_path": "agent"}
    )
    yield connection
    await connection.close()


async def left_behind(sql: asyncpg.Connection, person: Any, *, run_id: UUID | None = None) -> UUID:
    """The row of a run whose process died before it told the engine."""
    run_id = run_id or uuid4()
    spec = {
        "instructions": "", "tools": [], "knowledge_base_ids": [], "file_ids": [], "temperature": None,
        "limits": {}, "messages": [{"role": "user", "content": "hi"}],
    }  # fmt: skip
    await sql.execute(
        "INSERT INTO run (id, organisation_id, team_id, user_id, principal, agent_id, agent_name, model,"
        " spec, input, status, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, 'Assistant', 'm', $7, 'hi', 'queued', now() - interval '1 minute')",
        run_id, DEFAULT_ORGANISATION_ID, DEFAULT_TEAM_ID, person.principal.user_id,
        json.dumps(person.principal.to_claims()),
        ASSISTANT_AGENT_ID, json.dumps(spec),
    )  # fmt: skip
    return run_id


async def test_a_run_that_was_stored_but_not_begun_is_begun(person: Any, sql: asyncpg.Connection) -> None:
    run_id = await left_behind(sql, person)
    run = await person.until_status(str(run_id), "complete", "failed")
    assert (run["status"], run["output"]) == ("complete", "Hello there!")


async def test_a_run_whose_workflow_failed_is_ended_for_its_readers(
    person: Any, sql: asyncpg.Connection, service: Any
) -> None:
    run_id = await left_behind(sql, person)
    await sql.execute("UPDATE run SET spec = 'broken' WHERE id = $1", run_id)
    run = await person.until_status(str(run_id), "complete", "failed")
    assert (run["status"], run["error"]["code"]) == ("failed", "internal_error")
    events = await person.events(str(run_id))
    assert [event.event for event in events] == ["error", "done"]


async def test_a_decision_that_nobody_told_the_workflow_is_found(
    person: Any, others: Any, play: Any, sql: asyncpg.Connection
) -> None:
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 1, "b": 1})), play.says("Two.")]
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool":
                break
    await sql.execute(
        "UPDATE run_step SET decision = 'approve' WHERE run_id = $1 AND call_id IS NOT NULL", UUID(run_id)
    )
    run = await person.until_status(run_id, "complete", "failed")
    assert run["output"] == "Two."


async def test_a_stop_that_another_process_was_asked_for_is_found(
    person: Any, others: Any, play: Any, sql: asyncpg.Connection
) -> None:
    others.plans += [play.says(*["word "] * 500, gap_s=0.02)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                await sql.execute("UPDATE run SET cancel_requested = true WHERE id = $1", UUID(run_id))
    assert event.data == {"status": "stopped", "finish_reason": None}


async def test_a_process_that_lost_a_run_writes_nothing_more(
    person: Any, others: Any, play: Any, sql: asyncpg.Connection
) -> None:
    others.plans += [play.says(*["word "] * 100, gap_s=0.02)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                # Locked as a process that takes a run over locks it: what was being written is written then.
                async with sql.transaction():
                    await sql.execute("SELECT id FROM run WHERE id = $1 FOR UPDATE", UUID(run_id))
                    await sql.execute("UPDATE run SET owner = 'another process' WHERE id = $1", UUID(run_id))
                break
    before = await sql.fetchval("SELECT max(id) FROM run_event WHERE run_id = $1", UUID(run_id))

    async def let_go() -> bool:
        return others.cancelled == 1

    await play.until(let_go)
    assert await sql.fetchval("SELECT max(id) FROM run_event WHERE run_id = $1", UUID(run_id)) == before
    await sql.execute("DELETE FROM run WHERE id = $1", UUID(run_id))


async def test_a_run_that_cannot_be_looked_at_does_not_hide_those_behind_it(
    person: Any, others: Any, play: Any, sql: asyncpg.Connection, service: Any
) -> None:
    gate = asyncio.Event()
    others.default = play.says("wait", until=gate)
    first, second = sorted([uuid4(), uuid4()])
    for run_id in (first, second):
        await left_behind(sql, person, run_id=run_id)

    class Engine:
        """Knows nothing of the first run, in an unforeseen way."""

        def __init__(self) -> None:
            self.begun: list[str] = []

        async def take_over(self) -> None:
            pass

        async def state(self, workflow_id: str) -> None:
            if str(first) in workflow_id:
                raise ValueError(workflow_id)

        async def start(self, _kind: str, argument: str, *, workflow_id: str) -> None:
            self.begun.append(argument)

    engine = Engine()
    await Sweeper(service.app.state.database, cast("Any", engine), LiveRuns(), owner="another").sweep()
    gate.set()
    assert str(second) in engine.begun
    for run_id in (first, second):
        await person.until_status(str(run_id), "complete")
