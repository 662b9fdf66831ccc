"""What the tests of MCP servers share."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import mcp_servers
import pytest
import pytest_asyncio
from agent_service.main import create_app
from agent_service.mcp.adapters.lazy import LazySdk
from agent_service.mcp.connection import Connection
from agent_service.mcp.port import Limits, Server, Stdio, StreamableHttp
from agent_service.settings import AgentSettings
from mcp_running import KEYS, Running
from mcp_worlds import LIMITS, Connect
from servers import serve
from shared.background import TaskTracker
from shared.ids import uuid7


@pytest_asyncio.fixture(loop_scope="module")
async def connect() -> AsyncGenerator[Connect]:
    """A factory of connections to a target, closed with the test."""
    tasks, made = TaskTracker(), list[Connection]()

    def make(target: Stdio | StreamableHttp, *, limits: Limits = LIMITS, **changes: Any) -> Connection:
        fields = {"connect_timeout_s": 10, "call_timeout_s": 10, **changes}
        server = Server(id=uuid7(), name="h", source="file", target=target, revision="1", **fields)
        made.append(Connection(server, LazySdk(), limits, tasks))
        return made[-1]

    yield make
    for connection in made:
        await connection.close()
    assert await tasks.drain(5) == 0


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
