"""A person who is suspended, or a key that is revoked, has nothing running two seconds later."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from identities import make_principal
from shared.access import ACCESS_CHANNEL, DETAILS, EndReason
from shared.clock import monotonic_s
from shared.contracts.agents import ASSISTANT_AGENT_ID
from shared.ids import uuid7
from suite.waiting import is_within

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN_S = 2
PATIENCE_S = 20


async def announce(service: Any, topic: str, **payload: Any) -> None:
    """As the gateway does."""
    url = service.app.state.settings.database_url.get_secret_value().replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        event = {"id": str(uuid7()), "topic": topic, "payload": {**payload, "at": "2026-01-01T00:00:00Z"}}
        await connection.execute("SELECT pg_notify($1, $2)", ACCESS_CHANNEL, json.dumps(event, default=str))
    finally:
        await connection.close()


@asynccontextmanager
async def writing(person: Any, others: Any, play: Any) -> Any:
    """A run whose model has begun to write and does not stop by itself: its id and its further events."""
    others.plans += [play.says("one", until=asyncio.Event())]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        yield run_id, events


async def ends(service: Any, topic: str, payload: dict[str, Any], events: Any) -> list[Any]:
    began_s = monotonic_s()
    await announce(service, topic, **payload)
    async with asyncio.timeout(PATIENCE_S):
        rest = [event async for event in events]
    assert is_within(monotonic_s() - began_s, WITHIN_S)
    return rest


@pytest.mark.parametrize(
    "topic", ["account.suspended", "account.deleted", "account.role_changed", "key.revoked"]
)
async def test_a_run_ends_with_the_access_of_its_person_or_key(
    service: Any, others: Any, play: Any, topic: str
) -> None:
    reason = {"account.role_changed": "role_changed"}.get(topic, topic.replace(".", "_"))
    principal = make_principal(key_id=uuid4())
    person = service.person(principal)
    whose = {"key_id": principal.key_id} if topic == "key.revoked" else {"user_id": principal.user_id}
    async with writing(person, others, play) as (run_id, events):
        rest = await ends(service, topic, {**whose, "organisation_id": uuid4(), "role": "pending"}, events)
    assert others.cancelled == 1
    assert rest[-1].data == {"status": "failed", "finish_reason": reason}
    run = await person.get(run_id)
    assert (run["status"], run["output"], run["finish_reason"]) == ("failed", "one", reason)
    assert (run["error"]["code"], run["error"]["detail"]) == (reason, DETAILS[EndReason(reason)])


async def test_others_and_a_role_that_still_permits_it_run_on(
    service: Any, person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.says("one", until=asyncio.Event())]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        user_id = person.principal.user_id
        await announce(
            service, "account.role_changed", user_id=user_id, organisation_id=uuid4(), role="admin"
        )
        await announce(service, "account.suspended", user_id=uuid4(), organisation_id=uuid4())
        await announce(service, "key.revoked", user_id=user_id, key_id=uuid4())
        # Announced last and handled in order: when this one ends, those before were heard.
        other = service.person()
        async with writing(other, others, play) as (_, rest):
            await ends(
                service,
                "account.suspended",
                {"user_id": other.principal.user_id, "organisation_id": uuid4()},
                rest,
            )
        assert (await person.get(run_id))["status"] == "running"
        await person.http.post(f"/api/v1/agents/runs/{run_id}/cancel")


async def test_a_run_that_waits_for_approval_ends_too(
    service: Any, person: Any, others: Any, play: Any
) -> None:
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 1, "b": 1}))]
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool":
                break
        await ends(
            service,
            "account.suspended",
            {"user_id": person.principal.user_id, "organisation_id": uuid4()},
            events,
        )
    run = await person.get(run_id)
    assert (run["status"], run["finish_reason"], len(others.requests)) == ("failed", "account_suspended", 1)


async def test_a_run_of_another_process_ends_by_the_flag(
    service: Any, person: Any, others: Any, play: Any
) -> None:
    """As when the process that has the run does not hear the announcement."""
    async with writing(person, others, play) as (run_id, events):
        await _flag(service, run_id)
        async with asyncio.timeout(PATIENCE_S):
            rest = [event async for event in events]
    assert rest[-1].data["finish_reason"] == "key_revoked"


async def _flag(service: Any, run_id: str) -> None:
    url = service.app.state.settings.database_url.get_secret_value().replace("+asyncpg", "")
    connection = await asyncpg.connect(url, server_settings={"search_path": "agent"})
    try:
        changed = await connection.execute(
            "UPDATE run SET cancel_requested = true, end_reason = 'key_revoked' WHERE id = $1", UUID(run_id)
        )
        assert changed == "UPDATE 1"
    finally:
        await connection.close()


@pytest.mark.faults
async def test_a_run_that_is_taken_up_again_asks_whether_it_was_ended(
    service: Any, processes: Any, others: Any, play: Any
) -> None:
    await processes.start()
    person = processes.person()
    others.plans += [play.says("one", until=asyncio.Event())]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
    await processes.end(signal.SIGKILL)
    await _flag(service, run_id)
    await processes.start()
    run = await person.until_status(run_id, "failed", "complete", "stopped")
    assert (run["status"], run["finish_reason"], len(others.requests)) == ("failed", "key_revoked", 1)
