"""After two years runs are bounded, those of chats stay with their steps, and what is deleted leaves what
docs/retention.md lists.
"""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from shared.access import ACCESS_CHANNEL
from shared.contracts.agents import ASSISTANT_AGENT_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")

_OLD = "now() - interval '800 days'"
_OLD_MS = int((datetime.now(UTC) - timedelta(days=800)).timestamp() * 1000)
_RUN_TABLES = ("run", "run_step", "run_event", "run_file")
_ENGINE_TABLES = (
    "workflow_status",
    "operation_outputs",
    "workflow_input",
    "workflow_output",
    "notifications",
)


@pytest_asyncio.fixture(loop_scope="module")
async def admin(service: Any) -> AsyncGenerator[asyncpg.Connection]:
    """The service's database, with its own rights."""
    connection = await asyncpg.connect(service.app.state.settings.database_url.get_secret_value())
    yield connection
    await connection.close()


async def run_of_chat(service: Any, person: Any) -> str:
    """A run that writes a reply of a chat."""
    run_id = str(uuid4())
    headers = service.keys.service_headers("chat-service", target="agent-service", principal=person.principal)
    body = {"run_id": run_id, "agent_id": str(ASSISTANT_AGENT_ID), "input": "hi"}
    assert (await person.http.post("/internal/v1/runs", json=body, headers=headers)).status_code == 200
    await person.until_status(run_id, "complete")
    return run_id


async def rows_of(admin: Any, run_id: str) -> dict[str, int]:
    """How many rows of each table belong to the run."""
    found: dict[str, int] = {}
    for table in _RUN_TABLES:
        key = "id" if table == "run" else "run_id"
        found[table] = await admin.fetchval(
            f"SELECT count(*) FROM agent.{table} WHERE {key} = $1", UUID(run_id)
        )
    for table in _ENGINE_TABLES:
        key = "destination_uuid" if table == "notifications" else "workflow_uuid"
        found[table] = await admin.fetchval(
            f"SELECT count(*) FROM agent_dbos.{table} WHERE {key} = $1", f"run-{run_id}"
        )
    return found


async def age(admin: Any, *run_ids: str) -> None:
    await admin.execute(
        f"UPDATE agent.run SET ended_at = {_OLD} WHERE id = ANY($1)", [UUID(run_id) for run_id in run_ids]
    )
    await admin.execute(
        "UPDATE agent_dbos.workflow_status SET created_at = $2, updated_at = $2, completed_at = $2 WHERE "
        "workflow_uuid = ANY($1)",
        [f"run-{run_id}" for run_id in run_ids],
        _OLD_MS,
    )


async def with_file(person: Any, others: Any, play: Any) -> str:
    others.plans += [play.calls(("draw", {})), play.says("done")]
    return (await person.run(await person.new_agent("draw")))[0]["id"]


async def test_two_years_later_every_table_that_ends_is_bounded(
    service: Any, admin: Any, others: Any, play: Any, person: Any
) -> None:
    old, fresh = await with_file(person, others, play), await with_file(person, others, play)
    of_chat = await run_of_chat(service, person)
    kept_run, kept_events = await person.get(of_chat), await person.events(of_chat)
    fresh_before = await rows_of(admin, fresh)
    assert fresh_before["run_file"] > 0
    await age(admin, old, of_chat)
    await admin.execute(
        f"INSERT INTO agent.mcp_check (server_id, claimed_at, revision) VALUES (gen_random_uuid(), {_OLD}, "
        "'old'),"
        " (gen_random_uuid(), now(), 'fresh');"
        "INSERT INTO agent.idempotency_key (principal, method, route, key, body_hash, created_at)"
        f" VALUES ('p', 'POST', '/x', 'old', '', {_OLD}), ('p', 'POST', '/x', 'fresh', '', now())"
    )

    await service.app.state.retention.run()

    assert set((await rows_of(admin, old)).values()) == {0}
    assert await rows_of(admin, fresh) == fresh_before
    left = await rows_of(admin, of_chat)
    assert {table: left[table] for table in ("run", "run_event", *_ENGINE_TABLES)} == {
        "run": 1, "run_event": 1, **dict.fromkeys(_ENGINE_TABLES, 0)
    }  # fmt: skip
    ended_at = {"ended_at": None}
    assert await person.get(of_chat) | ended_at == kept_run | ended_at
    assert [(event.id, event.event) for event in await person.events(of_chat)] == [
        (kept_events[-1].id, "done")
    ]
    assert [(event.id, event.event) for event in await person.events(of_chat, 2)] == [
        (kept_events[-1].id, "done")
    ]
    assert (await person.http.get(f"/api/v1/agents/runs/{old}")).status_code == 404
    assert [row[0] for row in await admin.fetch("SELECT revision FROM agent.mcp_check")] == ["fresh"]
    assert [row[0] for row in await admin.fetch("SELECT key FROM agent.idempotency_key")] == ["fresh"]
    assert await service.app.state.retention.run() == {}


async def test_an_unfinished_run_stays_however_old(
    service: Any, admin: Any, others: Any, play: Any, person: Any
) -> None:
    others.plans += [play.calls(("guarded", {})), play.says("done")]
    agent = await person.new_agent("guarded", approval=("guarded",))
    async with person.stream(agent) as (run_id, _):
        await person.until_status(run_id, "awaiting_approval")
    await admin.execute(
        f"UPDATE agent.run SET created_at = {_OLD}, started_at = {_OLD} WHERE id = $1", UUID(run_id)
    )
    await admin.execute(
        "UPDATE agent_dbos.workflow_status SET created_at = $2, updated_at = $2 WHERE workflow_uuid = $1",
        f"run-{run_id}",
        _OLD_MS,
    )
    before = await rows_of(admin, run_id)
    await service.app.state.retention.run()
    after = await rows_of(admin, run_id)  # the run may note its wait meanwhile
    assert all(after[table] >= count for table, count in before.items()), (before, after)
    assert (await person.http.post(f"/api/v1/agents/runs/{run_id}/cancel")).json()["status"] == "stopped"


async def test_a_deleted_run_and_agent_leave_only_what_the_page_of_retention_lists(
    service: Any, admin: Any, others: Any, play: Any, person: Any
) -> None:
    others.plans += [play.calls(("draw", {})), play.says("words nobody else says")]
    agent = await person.new_agent("draw", instructions="orders nobody else gives")
    run_id = (await person.run(agent, input="questions nobody else asks"))[0]["id"]
    assert (await person.http.delete(f"/api/v1/agents/{agent}")).status_code == 204
    assert (await person.http.delete(f"/api/v1/agents/runs/{run_id}")).status_code == 204
    left = await rows_of(admin, run_id)
    assert {table for table, count in left.items() if count} <= set(_ENGINE_TABLES)
    names = await admin.fetch(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('agent', 'agent_dbos')"
    )
    whole = "".join(
        [str(row[0]) for (name,) in names for row in await admin.fetch(f"SELECT t::text FROM {name} t")]
    )
    assert run_id in whole
    assert "nobody else" not in whole
    await age(admin, run_id)
    await service.app.state.retention.run()
    assert set((await rows_of(admin, run_id)).values()) == {0}


async def test_a_deleted_account_takes_its_agents_and_runs_along(
    service: Any, admin: Any, others: Any, play: Any
) -> None:
    gone, other = service.person(), service.person()
    runs = {person: await with_file(person, others, play) for person in (gone, other)}
    user_id = gone.principal.user_id
    await admin.execute(
        "INSERT INTO agent.mcp_server (id, organisation_id, created_by, name, url, header_names,"
        " connect_timeout_s, call_timeout_s, enabled, access_user_ids, created_at, updated_at)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 's', 'http://127.0.0.1:1', '{}',"
        " 1, 1, false, $1, now(), now())",
        [user_id, other.principal.user_id],
    )
    # One run is under way when the account goes.
    others.plans += [play.calls(("slow", {"seconds": 30})), play.says("done")]
    running = await gone.new_agent("slow")
    async with gone.stream(running) as (run_id, _):
        await gone.until_status(run_id, "running")
    event = {
        "id": str(uuid4()),
        "topic": "account.deleted",
        "key": f"user:{user_id}",
        "payload": {"user_id": str(user_id)},
    }
    await admin.execute("SELECT pg_notify($1, $2)", ACCESS_CHANNEL, json.dumps(event))

    async def noted() -> bool:
        return await admin.fetchval("SELECT count(*) FROM agent.erasure WHERE user_id = $1", user_id) == 1

    await play.until(noted)
    await service.app.state.erasures.run()

    async def workflow_ended() -> bool:
        status = await admin.fetchval(
            "SELECT status FROM agent_dbos.workflow_status WHERE workflow_uuid = $1", f"run-{run_id}"
        )
        return status not in {"PENDING", "ENQUEUED"}

    await play.until(workflow_ended)
    names = [
        row[0]
        for row in await admin.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'agent%'"
        )
    ]
    naming = {
        name
        for name in names
        for row in await admin.fetch(f"SELECT t::text FROM {name} t")
        if str(user_id) in row[0]
    }
    assert naming == {"agent.erasure"}
    for deleted in (runs[gone], run_id):
        assert {table for table, count in (await rows_of(admin, deleted)).items() if count} <= set(
            _ENGINE_TABLES
        )
    assert (await other.get(runs[other]))["status"] == "complete"
    assert await admin.fetchval("SELECT access_user_ids FROM agent.mcp_server") == [other.principal.user_id]
