"""MCP servers through the service: administrators add, change, share and remove them."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from identities import make_principal
from mcp_running import ELSEWHERE, KEYS, SECRET, SERVERS, Running, problem
from servers import serve
from shared.auth.permissions import Role
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_administrator_adds_checks_changes_and_removes_a_server(running: Running) -> None:
    admin = await running.client()
    body = {
        "name": "mine",
        "url": running.everything_url,
        "headers": {"Authorization": SECRET},
        "tools": ["echo"],
        "access": {"roles": ["user"]},
    }
    made = await admin.post(SERVERS, json=body)
    assert made.status_code == 201, made.text
    server = made.json()
    place = f"{SERVERS}/{server['id']}"
    assert (server["header_names"], server["status"]["state"], server["source"]) == (
        ["Authorization"],
        "unchecked",
        "api",
    )
    check = (await admin.post(f"{place}/check")).json()
    assert (check["ok"], [tool["name"] for tool in check["tools"]]) == (True, ["mine__echo"])
    assert check["latency_ms"] > 0
    assert (await running.call("mine__echo", {"message": "x"})).text == "Echo: x"
    assert (await admin.get(place)).json()["status"]["state"] == "ok"
    changed = await admin.patch(place, json={"tools": None, "call_timeout_s": 5})
    assert (changed.json()["tools"], changed.json()["call_timeout_s"]) == (None, 5)
    assert len((await admin.post(f"{place}/check")).json()["tools"]) > 5
    assert (await admin.patch(place, json={"enabled": False})).json()["status"]["state"] == "disabled"
    assert await running.toolbox.find(make_principal(), ("mine__echo",)) == []
    assert (await admin.delete(place)).status_code == 204
    assert problem(await admin.get(place)) == (404, "mcp_server_not_found")


async def test_nobody_but_administrators_uses_a_server_until_somebody_is_named(running: Running) -> None:
    admin = await running.client()
    made = (await admin.post(SERVERS, json={"name": "closed", "url": running.everything_url})).json()
    place = f"{SERVERS}/{made['id']}"
    assert (made["access"], made["approval"]) == (
        {"roles": [], "team_ids": [], "user_ids": []},
        "unless_read_only",
    )
    team_id, name = uuid7(), ("closed__echo",)
    people = {
        "admin": make_principal(Role.ADMIN),
        "role": make_principal(Role.FINANCE),
        "team": make_principal(team_ids=(team_id,)),
        "person": make_principal(),
        "stranger": make_principal(),
    }

    async def allowed() -> set[str]:
        found = {
            who: [tool.name for tool in await running.toolbox.find(principal, name)]
            for who, principal in people.items()
        }
        offered = {
            who: {tool.name for tool in await running.toolbox.available(principal)}
            for who, principal in people.items()
        }
        assert {who for who in people if found[who]} == {who for who in people if name[0] in offered[who]}
        return {who for who in people if found[who]}

    assert await allowed() == {"admin"}
    access = {"roles": ["finance"], "team_ids": [str(team_id)], "user_ids": [str(people["person"].user_id)]}
    assert (await admin.patch(place, json={"access": access})).json()["access"] == access
    assert await allowed() == {"admin", "role", "team", "person"}
    assert (await admin.patch(place, json={"enabled": True})).json()["access"] == access
    await admin.patch(place, json={"access": {}})
    assert await allowed() == {"admin"}
    answer = await (await running.client(Role.USER)).post(
        "/api/v1/agents", json={"name": "a", "tools": [{"name": "closed__echo", "approval": "never"}]}
    )
    assert answer.status_code == 422
    assert problem(await admin.patch(place, json={"access": {"roles": ["nobody"]}})) == (422, "invalid")
    await admin.delete(place)


async def test_a_server_says_which_calls_need_a_word_and_its_tools_carry_it(running: Running) -> None:
    admin = await running.client()
    made = (await admin.post(SERVERS, json={"name": "asks", "url": running.everything_url})).json()
    place = f"{SERVERS}/{made['id']}"
    names = ("asks__echo", "asks__toggle-simulated-logging")

    async def asking() -> list[bool]:
        return [tool.needs_approval for tool in await running.toolbox.find(make_principal(Role.ADMIN), names)]

    assert await asking() == [False, True]
    await admin.patch(place, json={"approval": "always"})
    assert await asking() == [True, True]
    await admin.patch(place, json={"approval": "never"})
    assert await asking() == [False, False]
    await admin.delete(place)


async def test_secrets_are_sealed_and_never_shown(running: Running) -> None:
    admin = await running.client()
    made = await admin.post(
        SERVERS, json={"name": "sealed", "url": running.everything_url, "headers": {"Authorization": SECRET}}
    )
    place = f"{SERVERS}/{made.json()['id']}"
    answers = [made, await admin.get(place), await admin.get(SERVERS), await admin.post(f"{place}/check")]
    assert not any("never-to-be-seen" in answer.text for answer in answers)
    connection = await asyncpg.connect(running.database_url)
    row = await connection.fetchrow("SELECT * FROM agent.mcp_server WHERE name = 'sealed'")
    assert "never-to-be-seen" not in repr(row)
    assert row["sealed_headers"]
    # Under another key, or in the row of another server, it cannot be read, and the list says what to do.
    await connection.execute("UPDATE agent.mcp_server SET sealed_headers = '\\x0102' WHERE name = 'sealed'")
    await connection.close()
    status = (await admin.get(place)).json()["status"]
    assert (status["state"], "enter them again" in status["error"]) == ("failing", True)
    assert (await admin.post(f"{place}/check")).json()["ok"] is False
    assert (await admin.delete(place)).status_code == 204


async def test_stored_headers_do_not_follow_a_changed_url(running: Running) -> None:
    admin = await running.client()
    made = await admin.post(
        SERVERS, json={"name": "moved", "url": running.everything_url, "headers": {"Authorization": SECRET}}
    )
    place = f"{SERVERS}/{made.json()['id']}"
    refused = await admin.patch(place, json={"url": "https://collector.example.com/"})
    assert problem(refused) == (422, "mcp_server_invalid")
    moved = await admin.patch(place, json={"url": "https://collector.example.com/", "headers": {}})
    assert moved.json()["header_names"] == []
    await admin.delete(place)


async def test_another_organisations_server_does_not_exist(running: Running) -> None:
    admin = await running.client()
    made = (await admin.post(SERVERS, json={"name": "ours", "url": running.everything_url})).json()
    place = f"{SERVERS}/{made['id']}"
    stranger = await running.client(organisation_id=ELSEWHERE)
    for answer in (
        await stranger.get(place),
        await stranger.patch(place, json={"enabled": False}),
        await stranger.post(f"{place}/check"),
        await stranger.delete(place),
        await stranger.get(f"{SERVERS}/{uuid7()}"),
    ):
        assert problem(answer) == (404, "mcp_server_not_found")
    assert "ours" not in {item["name"] for item in (await stranger.get(SERVERS)).json()["data"]}
    assert await running.toolbox.find(make_principal(organisation_id=ELSEWHERE), ("ours__echo",)) == []
    assert (await admin.delete(place)).status_code == 204


@pytest.mark.parametrize("role", [Role.USER, Role.ORG_ADMIN, Role.ADMIN_READONLY], ids=str)
async def test_only_who_may_manage_tools_sees_and_changes_servers(running: Running, role: Role) -> None:
    client = await running.client(role)
    for answer in (
        await client.get(SERVERS),
        await client.post(SERVERS, json={"name": "x", "url": "http://127.0.0.1/"}),
        await client.get(f"{SERVERS}/{uuid7()}"),
        await client.patch(f"{SERVERS}/{uuid7()}", json={}),
        await client.delete(f"{SERVERS}/{uuid7()}"),
        await client.post(f"{SERVERS}/{uuid7()}/check"),
    ):
        assert answer.status_code == 403


async def test_servers_of_the_file_are_changed_there(running: Running) -> None:
    admin = await running.client()
    time = next(item for item in (await admin.get(SERVERS)).json()["data"] if item["name"] == "time")
    place = f"{SERVERS}/{time['id']}"
    assert problem(await admin.patch(place, json={"enabled": False})) == (409, "mcp_server_from_file")
    assert problem(await admin.delete(place)) == (409, "mcp_server_from_file")
    assert (await admin.post(f"{place}/check")).json()["ok"] is True


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"command": "/bin/sh", "args": ["-c", "id"]}, 422, "invalid"),
        ({"url": "stdio:///bin/sh"}, 422, "mcp_server_invalid"),
        ({"url": "http://169.254.169.254/latest/"}, 422, "mcp_server_invalid"),
        ({"url": "http://[::ffff:169.254.169.254]/"}, 422, "mcp_server_invalid"),
        ({"url": "http://user:pw@example.com/"}, 422, "mcp_server_invalid"),
        ({"headers": {"X-A": "b\r\nX-Evil: 1"}}, 422, "mcp_server_invalid"),
        ({"headers": {"Host": "x"}}, 422, "mcp_server_invalid"),
        ({"name": "has__two"}, 422, "invalid"),
        ({"name": "UPPER"}, 422, "invalid"),
        ({"name": "x" * 33}, 422, "invalid"),
        ({"name": "time"}, 409, "mcp_server_name_taken"),
        ({"call_timeout_s": 0}, 422, "invalid"),
        ({"connect_timeout_s": 1e9}, 422, "invalid"),
        ({"tools": ["x"] * 200}, 422, "invalid"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_a_server_is_refused(
    running: Running, change: dict[str, Any], status: int, code: str
) -> None:
    answer = await (await running.client()).post(
        SERVERS, json={"name": "new", "url": running.everything_url, **change}
    )
    assert problem(answer) == (status, code)


async def test_names_are_unique_and_servers_have_a_number(running: Running) -> None:
    admin = await running.client(organisation_id=uuid7())
    answers = await asyncio.gather(
        *(admin.post(SERVERS, json={"name": "same", "url": running.everything_url}) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    for n in range(4):
        assert (
            await admin.post(SERVERS, json={"name": f"s{n}", "url": running.everything_url})
        ).status_code == 201
    assert problem(await admin.post(SERVERS, json={"name": "more", "url": running.everything_url})) == (
        409,
        "too_many_mcp_servers",
    )


async def test_private_addresses_are_refused_in_production_unless_the_operator_allows_them(
    service_database: Any, everything: str
) -> None:
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    app = create_app(AgentSettings(**fields, env="prod", code_enabled=False))
    headers = KEYS.user_headers(make_principal(Role.ADMIN))
    async with (
        serve(app) as base_url,
        httpx.AsyncClient(timeout=60, base_url=base_url, headers=headers, trust_env=False) as admin,
    ):
        refused = await admin.post(SERVERS, json={"name": "a", "url": everything})
        assert "MCP_ALLOW_PRIVATE_ADDRESSES" in refused.json()["detail"]
        named = everything.replace("127.0.0.1", "localhost")
        made = (await admin.post(SERVERS, json={"name": "a", "url": named})).json()
        check = (await admin.post(f"{SERVERS}/{made['id']}/check")).json()
        assert "MCP_ALLOW_PRIVATE_ADDRESSES" in check["error"]
