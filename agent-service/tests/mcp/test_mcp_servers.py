"""MCP servers through the service: those that nobody here wrote list and call, and are looked after."""

import asyncio
import contextlib
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any, cast

import agent_service
import httpx
import mcp_servers
import pytest
from agent_service.main import create_app
from agent_service.mcp.adapters.lazy import LazySdk
from agent_service.mcp.connection import Connection
from agent_service.mcp.file import McpFileError, load
from agent_service.mcp.metrics import McpMetrics
from agent_service.mcp.port import Limits
from agent_service.mcp.sealing import Seal
from agent_service.mcp.servers import McpServers
from agent_service.settings import AgentSettings
from agent_service.tools.arguments import ArgumentsInvalid
from agent_service.tools.port import ToolContext
from agent_service.tools.service import ToolRegistry
from identities import make_principal
from mcp_running import ELSEWHERE, KEYS, SERVERS, Running, listed
from servers import serve
from shared.auth.permissions import Role
from shared.db import Database
from shared.ids import uuid7
from shared.metrics import Metrics

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
        httpx.AsyncClient(timeout=60, base_url=base_url, headers=headers, trust_env=False) as admin,
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
