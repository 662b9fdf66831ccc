"""MCP servers through the service: those nobody here wrote list and call, and administrators look
after them.
"""

import asyncio
import contextlib
import json
import re
import socket
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast

import agent_service
import asyncpg
import httpx
import mcp_servers
import pytest
import pytest_asyncio
from agent_service.main import create_app
from agent_service.mcp.adapters.lazy import LazySdk
from agent_service.mcp.connection import Connection
from agent_service.mcp.file import McpFileError, load
from agent_service.mcp.metrics import McpMetrics
from agent_service.mcp.port import Limits
from agent_service.mcp.sealing import Seal
from agent_service.mcp.servers import McpServers
from agent_service.settings import AgentSettings
from agent_service.tools.arguments import ArgumentsInvalid, check_arguments
from agent_service.tools.port import ToolContext, ToolResult
from agent_service.tools.service import ToolRegistry
from identities import KeyRing, make_principal
from servers import serve
from shared.auth.permissions import Role
from shared.auth.principal import Principal
from shared.db import Database
from shared.ids import uuid7
from shared.metrics import Metrics

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = KeyRing()
SERVERS = "/api/v1/agents/mcp-servers"
SECRET = "Bearer never-to-be-seen"
ELSEWHERE = uuid7()
"""An organisation that is not the default one."""


class Running:
    """A service with both servers in its file."""

    def __init__(self, base_url: str, app: Any, everything_url: str, database_url: str) -> None:
        self.base_url = base_url
        self.everything_url = everything_url
        self.database_url = database_url
        self.toolbox = cast("ToolRegistry", app.state.toolbox)
        self._stack = contextlib.AsyncExitStack()

    async def client(self, role: Role = Role.ADMIN, **changes: Any) -> httpx.AsyncClient:
        headers = KEYS.user_headers(make_principal(role, **changes))
        return await self._stack.enter_async_context(
            httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=30, trust_env=False)
        )

    async def call(
        self, name: str, arguments: dict[str, Any], principal: Principal | None = None
    ) -> ToolResult:
        """As a run calls a tool: found by name, its arguments checked."""
        principal = principal or make_principal()
        (tool,) = await self.toolbox.find(principal, (name,))
        checked = check_arguments(tool, json.dumps(arguments))
        return await tool.call(ToolContext(principal=principal, run_id=uuid7()), checked)

    async def aclose(self) -> None:
        await self._stack.aclose()


@pytest.fixture(scope="module")
def everything() -> Iterator[str]:
    with mcp_servers.everything_over_http() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    service_database: Any, everything: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Running]:
    database = service_database("agent-service")
    path = mcp_servers.servers_file(
        tmp_path_factory.mktemp("mcp") / "servers.yaml",
        {"time": mcp_servers.time_command(), "everything": everything},
        access={"roles": ["user"]},
    )
    app = create_app(
        AgentSettings(
            **KEYS.settings_fields("agent-service", database_url=database.app_url),
            mcp_servers_file=path,
            code_enabled=False,
            mcp_servers_per_organisation_max=5,
            drain_timeout_s=1,
        )
    )
    async with serve(app) as base_url:
        service = Running(base_url, app, everything, database.admin_url)
        yield service
        await service.aclose()


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    return {
        item["name"]: item
        for item in (await client.get("/api/v1/agents/tools")).raise_for_status().json()["data"]
    }


async def test_both_servers_list_their_tools_beside_the_built_in_ones(running: Running) -> None:
    tools = await listed(await running.client(Role.USER))
    assert {"calculator", "datetime", "search_documents", "python"} <= set(tools)
    assert {"time__get_current_time", "time__convert_time"} <= set(tools)
    assert {"everything__echo", "everything__get-sum", "everything__get-tiny-image"} <= set(tools)
    assert tools["time__convert_time"]["source"] == "time"
    assert tools["time__convert_time"]["parameters"]["required"] == [
        "source_timezone",
        "time",
        "target_timezone",
    ]
    assert all(tool["available"] for tool in tools.values() if tool["source"] in {"time", "everything"})


async def test_a_tool_that_cannot_work_here_is_listed_with_the_reason(running: Running) -> None:
    python = (await listed(await running.client(Role.USER)))["python"]
    assert python["available"] is False
    assert "CODE_ENABLED" in python["unavailable_reason"]
    assert "python" not in {tool.name for tool in await running.toolbox.available(make_principal())}


async def test_tools_a_role_does_not_allow_are_not_offered(running: Running) -> None:
    principal = make_principal(scopes=("agents:read",), permissions=frozenset())
    assert {
        tool.name
        for tool in await running.toolbox.find(principal, ("calculator", "search_documents", "python"))
    } == {"calculator"}
    assert (await (await running.client(Role.PENDING)).get("/api/v1/agents/tools")).status_code == 403


async def test_the_time_server_tells_the_time_and_converts_it(running: Running) -> None:
    told = json.loads((await running.call("time__get_current_time", {"timezone": "Asia/Tokyo"})).text)
    assert told["datetime"].endswith("+09:00")
    converted = await running.call(
        "time__convert_time",
        {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Kolkata"},
    )
    assert "4.5h" in converted.text or "3.5h" in converted.text
    refused = await running.call("time__get_current_time", {"timezone": "Mars/Olympus"})
    assert refused.failed


async def test_the_everything_server_echoes_adds_and_draws(running: Running) -> None:
    assert (await running.call("everything__echo", {"message": "hello"})).text == "Echo: hello"
    assert (
        await running.call("everything__get-sum", {"a": 37, "b": 91})
    ).text == "The sum of 37 and 91 is 128."
    image = await running.call("everything__get-tiny-image", {})
    (file,) = image.files
    assert (file.content_type, file.content[:4]) == ("image/png", b"\x89PNG")
    assert file.name in image.text
    with pytest.raises(ArgumentsInvalid, match="'a' is a required property"):
        await running.call("everything__get-sum", {"b": 1})


async def test_the_everything_server_works_over_stdio_too(
    running: Running, tmp_path: Path, service_database: Any
) -> None:
    path = mcp_servers.servers_file(
        tmp_path / "s.yaml",
        {"local": mcp_servers.everything_command()},
        organisations=[str(ELSEWHERE)],
        access={"roles": ["user"]},
    )
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    app = create_app(AgentSettings(**fields, mcp_servers_file=path, code_enabled=False))
    async with serve(app):
        toolbox = cast("ToolRegistry", app.state.toolbox)
        insider, outsider = make_principal(organisation_id=ELSEWHERE), make_principal()
        (echo,) = await toolbox.find(insider, ("local__echo",))
        assert (
            await echo.call(ToolContext(principal=insider, run_id=uuid7()), {"message": "hi"})
        ).text == "Echo: hi"
        assert await toolbox.find(outsider, ("local__echo",)) == []


async def test_hints_of_the_servers_decide_what_may_be_repeated(running: Running) -> None:
    found = await running.toolbox.find(
        make_principal(), ("everything__echo", "everything__toggle-simulated-logging", "none__such")
    )
    assert [(tool.name, tool.repeatable) for tool in found] == [
        ("everything__echo", True),
        ("everything__toggle-simulated-logging", False),
    ]


async def test_calls_are_counted_in_the_list_and_in_the_metrics(running: Running) -> None:
    await running.call("everything__echo", {"message": "count me"})
    admin = await running.client()
    servers = {item["name"]: item for item in (await admin.get(SERVERS)).json()["data"]}
    everything, time = servers["everything"], servers["time"]
    assert (everything["source"], everything["transport"], everything["url"]) == (
        "file",
        "streamable_http",
        running.everything_url,
    )
    assert (time["transport"], time["command"], time["url"]) == ("stdio", sys.executable, None)
    assert everything["status"]["state"] == "ok"
    assert everything["status"]["connected"]
    assert everything["status"]["calls"] >= 1
    assert everything["status"]["tool_count"] >= 10
    metrics = (await admin.get("/metrics")).text
    assert 'atrium_mcp_calls_total{outcome="ok",server="everything"}' in metrics
    assert 'atrium_mcp_call_seconds_count{server="everything"}' in metrics


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


async def test_a_server_that_is_away_keeps_nobody_waiting_and_is_shown_as_failing(running: Running) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        organisation = uuid7()
        admin = await running.client(organisation_id=organisation)
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/mcp"
        place = f"{SERVERS}/{(await admin.post(SERVERS, json={'name': 'away', 'url': url})).json()['id']}"
        check = (await admin.post(f"{place}/check")).json()
    assert (check["ok"], check["tools"]) == (False, [])
    assert check["error"] == "it cannot be reached, or broke off the exchange"
    assert (await admin.get(place)).json()["status"]["state"] == "failing"
    assert "calculator" in await listed(admin)
    administrator = make_principal(Role.ADMIN, organisation_id=organisation)
    assert await running.toolbox.find(administrator, ("away__x",)) == []
    # Where something answers again, the tools are back.
    await admin.patch(place, json={"url": running.everything_url})
    assert len(await running.toolbox.find(administrator, ("away__echo",))) == 1


async def test_servers_nobody_uses_are_checked_from_time_to_time(
    service_database: Any, everything: str, tmp_path: Path
) -> None:
    path = mcp_servers.servers_file(tmp_path / "s.yaml", {"everything": everything})
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    app = create_app(
        AgentSettings(**fields, mcp_servers_file=path, code_enabled=False, mcp_check_interval_s=0.5)
    )
    headers = KEYS.user_headers(make_principal(Role.ADMIN))
    async with (
        serve(app) as base_url,
        httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as admin,
    ):
        seen: set[str] = set()
        async with asyncio.timeout(15):
            while len(seen) < 2:
                status = (await admin.get(SERVERS)).json()["data"][0]["status"]
                seen |= {status["checked_at"]} - {None}
                await asyncio.sleep(0.1)
        assert status["tool_count"] >= 10


async def test_a_server_is_checked_by_one_process_of_all_and_the_others_learn_it(
    service_database: Any, everything: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mcp_servers.servers_file(tmp_path / "s.yaml", {"everything": everything})
    url = service_database("agent-service").app_url
    checked: list[object] = []
    check = Connection.check

    async def counted(self: Connection) -> Any:
        checked.append(self)
        return await check(self)

    monkeypatch.setattr(Connection, "check", counted)
    replicas: list[McpServers] = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            database = Database(url, schema="agent", pool_max=2)
            stack.push_async_callback(database.dispose)
            replicas.append(_replica(database, path))
            stack.push_async_callback(replicas[-1].close)
        await asyncio.gather(*(replica.check_due() for replica in replicas))
        await asyncio.gather(*(replica.check_due() for replica in replicas))
        assert len(checked) == 1
        (server,) = [known.server for known in await replicas[0].known(make_principal(Role.ADMIN))]
        times = {replica.connection(server).health.checked_at for replica in replicas}
        assert len(times) == 1
        assert None not in times


def _replica(database: Database, path: Path) -> McpServers:
    limits = Limits(1024 * 1024, 1000, 1, 1000, 128, 4, 60)
    return McpServers(
        database,
        LazySdk(),
        from_file=load(path),
        seal=Seal("x"),
        limits=limits,
        metrics=McpMetrics(Metrics(service="agent-service")),
        private_allowed=True,
        check_interval_s=60,
    )


async def test_private_addresses_are_refused_in_production_unless_the_operator_allows_them(
    service_database: Any, everything: str
) -> None:
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    app = create_app(AgentSettings(**fields, env="prod", code_enabled=False))
    headers = KEYS.user_headers(make_principal(Role.ADMIN))
    async with (
        serve(app) as base_url,
        httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as admin,
    ):
        refused = await admin.post(SERVERS, json={"name": "a", "url": everything})
        assert "MCP_ALLOW_PRIVATE_ADDRESSES" in refused.json()["detail"]
        named = everything.replace("127.0.0.1", "localhost")
        made = (await admin.post(SERVERS, json={"name": "a", "url": named})).json()
        check = (await admin.post(f"{SERVERS}/{made['id']}/check")).json()
        assert "MCP_ALLOW_PRIVATE_ADDRESSES" in check["error"]


async def test_the_service_does_not_start_with_a_faulty_file(service_database: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("servers: [{name: a}]")
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    app = create_app(AgentSettings(**fields, mcp_servers_file=tmp_path / "s.yaml"))
    with pytest.raises(McpFileError, match="either command or url"):
        async with app.api.router.lifespan_context(app.api):
            pass


async def test_the_sdk_is_imported_in_one_place_that_is_loaded_when_a_server_is_used() -> None:
    sources = Path(cast("str", agent_service.__file__)).parent
    costly = re.compile(
        r"^\s*(?:from|import) (?:mcp|mcp_types|httpx2|anyio|agent_service\.mcp\.adapters\.(?!lazy))\b",
        re.MULTILINE,
    )
    strays = [
        str(path.relative_to(sources))
        for path in sources.rglob("*.py")
        if path.parent != sources / "mcp" / "adapters" and costly.search(path.read_text())
    ]
    assert strays == []
    assert costly.findall((sources / "mcp" / "adapters" / "lazy.py").read_text()) == []
