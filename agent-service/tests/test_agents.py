"""Agents: made, listed, changed and deleted by their owners, used by whom they are opened to."""

from typing import Any
from uuid import uuid4

import pytest
from identities import make_principal
from shared.auth.permissions import Permission, Role
from shared.contracts.agents import ASSISTANT_AGENT_ID
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/api/v1/agents"


async def test_an_agent_is_made_changed_and_deleted(person: Any) -> None:
    made = await person.http.post(
        URL,
        json={"name": "Clerk", "tools": [{"name": "add", "approval": "always"}], "limits": {"steps_max": 3}},
    )
    assert made.status_code == 201
    agent = made.json()
    assert (agent["name"], agent["writable"], agent["built_in"], agent["access"]) == (
        "Clerk",
        True,
        False,
        "private",
    )
    assert (agent["tools"], agent["limits"]["steps_max"]) == ([{"name": "add", "approval": "always"}], 3)
    url = f"{URL}/{agent['id']}"
    changed = (
        await person.http.patch(url, json={"model": "big", "tools": [], "instructions": "Be kind."})
    ).json()
    assert changed | {"updated_at": ""} == agent | {
        "model": "big",
        "tools": [],
        "instructions": "Be kind.",
        "updated_at": "",
    }
    assert (await person.http.patch(url, json={"model": None})).json()["model"] is None
    assert (await person.http.get(url)).json()["instructions"] == "Be kind."
    assert (await person.http.delete(url)).status_code == 204
    assert (await person.http.get(url)).json()["code"] == "agent_not_found"
    assert (await person.http.delete(url)).status_code == 404


async def test_the_built_in_agent_is_always_there_and_never_changes(person: Any) -> None:
    url = f"{URL}/{ASSISTANT_AGENT_ID}"
    agent = (await person.http.get(url)).json()
    assert (agent["name"], agent["built_in"], agent["writable"]) == ("Assistant", True, False)
    assert [tool["name"] for tool in agent["tools"]] == [
        "calculator",
        "datetime",
        "search_documents",
        "python",
    ]
    assert (await person.http.patch(url, json={"name": "Mine"})).json()["code"] == "agent_read_only"
    assert (await person.http.delete(url)).status_code == 403


async def test_the_list_pages_through_the_built_in_agent_and_the_newest_first(person: Any) -> None:
    ids = [await person.new_agent() for _ in range(3)]
    wanted = [str(ASSISTANT_AGENT_ID), *ids[::-1]]
    seen: list[str] = []
    after = ""
    for _ in wanted:
        page = (await person.http.get(f"{URL}?limit=1{after}")).json()
        seen += [agent["id"] for agent in page["data"]]
        after = f"&after={page['last_id']}"
        assert page["has_more"] == (len(seen) < len(wanted))
    assert seen == wanted
    assert (await person.http.get(f"{URL}?after=nonsense")).json()["code"] == "cursor_invalid"


async def test_a_private_agent_is_its_owners_alone(person: Any, service: Any, others: Any) -> None:
    agent = await person.new_agent()
    stranger = service.person()
    for method in ("GET", "PATCH", "DELETE"):
        body = {"json": {"name": "x"}} if method == "PATCH" else {}
        assert (await stranger.http.request(method, f"{URL}/{agent}", **body)).json()[
            "code"
        ] == "agent_not_found"
    answer = await stranger.http.post(f"{URL}/{agent}/runs", json={"input": "hi"})
    assert answer.json()["code"] == "agent_not_found"
    assert others.requests == []


async def test_an_agent_open_to_the_organisation_is_used_but_not_changed_by_others(
    person: Any, service: Any
) -> None:
    agent = await person.new_agent(access="organisation")
    colleague = service.person()
    shown = (await colleague.http.get(f"{URL}/{agent}")).json()
    assert (shown["id"], shown["writable"]) == (agent, False)
    assert agent in [item["id"] for item in (await colleague.http.get(URL)).json()["data"]]
    assert (await colleague.http.patch(f"{URL}/{agent}", json={"name": "x"})).json()[
        "code"
    ] == "agent_read_only"
    run, _ = await colleague.run(agent)
    assert run["status"] == "complete"
    outsider = service.person(make_principal(organisation_id=uuid7()))
    assert (await outsider.http.get(f"{URL}/{agent}")).status_code == 404
    assert (await person.http.patch(f"{URL}/{agent}", json={"access": "private"})).status_code == 200
    assert (await colleague.http.get(f"{URL}/{agent}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"tools": [{"name": "teleport"}]}, "tools"),
        ({"tools": [{"name": "add"}, {"name": "add"}]}, "tools"),
        ({"limits": {"steps_max": 51}}, "limits"),
        ({"limits": {"duration_s_max": 0}}, "limits"),
        ({"instructions": "x" * 20_001}, "instructions"),
        ({"colour": "red"}, "colour"),
    ],
    ids=[
        "no name",
        "NUL",
        "unknown tool",
        "tool twice",
        "too many steps",
        "no time",
        "too long",
        "unknown member",
    ],
)
async def test_what_cannot_be_is_refused_by_name_in_post_and_patch(
    person: Any, fields: dict[str, Any], place: str
) -> None:
    made = await person.http.post(URL, json={"name": "Clerk", **fields})
    changed = await person.http.patch(f"{URL}/{await person.new_agent()}", json=fields)
    for answer in (made, changed):
        assert answer.status_code == 422
        assert place in answer.json()["errors"][0]["field"]


async def test_a_knowledge_base_the_caller_cannot_read_is_not_there(person: Any) -> None:
    fields = {"knowledge_base_ids": [str(uuid4())]}
    made = await person.http.post(URL, json={"name": "Clerk", **fields})
    changed = await person.http.patch(f"{URL}/{await person.new_agent()}", json=fields)
    for answer in (made, changed):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "body.knowledge_base_ids")


async def test_null_is_refused_where_it_means_nothing(person: Any) -> None:
    agent = await person.new_agent()
    assert (await person.http.patch(f"{URL}/{agent}", json={"name": None})).status_code == 422


async def test_operators_bound_limits(person: Any, service: Any) -> None:
    service.app.state.settings.run_tokens_max = 500
    try:
        answer = await person.http.post(URL, json={"name": "Clerk", "limits": {"tokens_max": 501}})
        assert (answer.status_code, answer.json()["code"]) == (422, "limit_too_high")
        assert (await person.http.post(URL, json={"name": "Clerk"})).status_code == 201
    finally:
        service.app.state.settings.run_tokens_max = 10_000_000


async def test_agents_of_a_person_are_bounded(person: Any, service: Any) -> None:
    service.app.state.settings.agents_per_user_max = 1
    try:
        await person.new_agent()
        answer = await person.http.post(URL, json={"name": "Clerk"})
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_agents")
    finally:
        service.app.state.settings.agents_per_user_max = 200


async def test_a_knowledge_base_is_looked_up_as_the_caller(person: Any, others: Any) -> None:
    base = str(uuid4())
    others.bases[base] = set()
    agent = await person.new_agent(knowledge_base_ids=[base, base])
    assert (await person.http.get(f"{URL}/{agent}")).json()["knowledge_base_ids"] == [base]
    assert len(others.bases[base]) == 1


async def test_a_repeated_key_makes_one_agent(person: Any) -> None:
    headers = {"idempotency-key": "once"}
    first = await person.http.post(URL, json={"name": "Clerk"}, headers=headers)
    again = await person.http.post(URL, json={"name": "Clerk"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())


async def test_permissions_are_asked_for(service: Any) -> None:
    reader = service.person(
        make_principal(permissions=frozenset({Permission.AGENTS_READ}), scopes=("agents:read",))
    )
    assert (await reader.http.get(URL)).status_code == 200
    assert (await reader.http.post(URL, json={"name": "Clerk"})).status_code == 403
    assert (
        await reader.http.post(f"{URL}/{ASSISTANT_AGENT_ID}/runs", json={"input": "hi"})
    ).status_code == 403
    pending = service.person(make_principal(Role.PENDING))
    assert (await pending.http.get(URL)).status_code == 403
