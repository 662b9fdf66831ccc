"""The typed agent client against the real agent-service, in the words of shared.contracts.agents."""

from collections.abc import AsyncIterator
from uuid import UUID

import orjson
import pytest
from identities import make_principal
from shared.auth.principal import Principal
from shared.clients.agents import AgentClient
from shared.contracts.agents import ASSISTANT_AGENT_ID, InternalRunCreate
from shared.errors import Conflict, NotFound, Unavailable
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from shared.sse import SseEvent
from suite.documents import agent
from suite.people import Person
from suite.ports import free_port
from suite.stack import Stack

pytestmark = pytest.mark.e2e

PATIENT = Timeouts(connect_s=2, first_byte_s=10, idle_s=30, write_s=5)


@pytest.fixture
async def agents(stack: Stack) -> AsyncIterator[AgentClient]:
    """As the chat-service builds it."""
    pool = UpstreamPool()
    tokens, base_url = stack.service_tokens("chat-service"), stack.url("agent-service")
    yield AgentClient(pool, tokens, base_url=base_url, timeouts=PATIENT)
    await pool.aclose()


def acting_for(person: Person) -> Principal:
    return make_principal(user_id=UUID(person.id))


def run_of(text: str) -> InternalRunCreate:
    return InternalRunCreate(run_id=uuid7(), agent_id=ASSISTANT_AGENT_ID, input=text, model="fake-echo")


async def events_of(
    agents: AgentClient, principal: Principal, run_id: UUID, *, after: int = 0
) -> list[SseEvent]:
    return [event async for event in agents.events(principal, run_id, after=after) if event.event]


async def test_an_agent_is_shown_to_those_who_may_use_it(
    agents: AgentClient, person: Person, stranger: Person
) -> None:
    assert (await agents.agent(acting_for(person), ASSISTANT_AGENT_ID)).built_in
    own_id = UUID(agent(person, tools=["calculator"]))
    shown = await agents.agent(acting_for(person), own_id)
    assert (shown.id, shown.writable, [tool.name for tool in shown.tools]) == (own_id, True, ["calculator"])
    with pytest.raises(NotFound) as refused:
        await agents.agent(acting_for(stranger), own_id)
    assert refused.value.code == "agent_not_found"


async def test_a_run_is_begun_once_and_followed_from_any_event(agents: AgentClient, person: Person) -> None:
    owner, body = acting_for(person), run_of("one two three")
    first, again = await agents.start(owner, body), await agents.start(owner, body)
    assert first.id == again.id == body.run_id
    events = await events_of(agents, owner, body.run_id)
    ids = [int(event.id or 0) for event in events]
    assert ids == list(range(1, len(events) + 1))
    assert (events[-1].event, orjson.loads(events[-1].data)["status"]) == ("done", "complete")
    rest = await events_of(agents, owner, body.run_id, after=ids[2])
    assert [int(event.id or 0) for event in rest] == ids[3:]
    ended = await agents.run(owner, body.run_id)
    assert (ended.status, ended.output, ended.last_event_id) == ("complete", "one two three", ids[-1])
    assert ended.usage is not None
    assert ended.usage.cost_nano > 0


async def test_a_run_is_stopped_and_deleted(agents: AgentClient, person: Person) -> None:
    owner, body = acting_for(person), run_of("!slow")
    await agents.start(owner, body)
    await agents.cancel(owner, body.run_id)
    assert (await agents.run(owner, body.run_id)).status == "stopped"
    await agents.delete_run(owner, body.run_id)
    with pytest.raises(NotFound) as gone:
        await agents.run(owner, body.run_id)
    assert gone.value.code == "run_not_found"


async def test_another_persons_run_is_not_found_and_its_id_is_taken(
    agents: AgentClient, person: Person, stranger: Person
) -> None:
    body, other = run_of("one"), acting_for(stranger)
    await agents.start(acting_for(person), body)
    with pytest.raises(NotFound):
        await agents.run(other, body.run_id)
    with pytest.raises(NotFound):
        await events_of(agents, other, body.run_id)
    with pytest.raises(Conflict) as taken:
        await agents.start(other, body)
    assert taken.value.code == "run_id_taken"


async def test_silence_is_an_unavailable_agent_service(stack: Stack, person: Person) -> None:
    pool = UpstreamPool()
    base_url = f"http://127.0.0.1:{free_port()}"
    nowhere = AgentClient(pool, stack.service_tokens("chat-service"), base_url=base_url, timeouts=PATIENT)
    with pytest.raises(Unavailable) as silent:
        await nowhere.run(acting_for(person), uuid7())
    assert silent.value.code == "agent_unavailable"
    await pool.aclose()
