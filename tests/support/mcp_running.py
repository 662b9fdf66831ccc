"""An agent-service with two MCP servers that nobody here wrote."""

import contextlib
import json
from typing import Any, cast

import httpx
from agent_service.tools.arguments import check_arguments
from agent_service.tools.port import ToolContext, ToolResult
from agent_service.tools.service import ToolRegistry
from identities import KeyRing, make_principal
from shared.auth.permissions import Role
from shared.auth.principal import Principal
from shared.ids import uuid7

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


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    return {
        item["name"]: item
        for item in (await client.get("/api/v1/agents/tools")).raise_for_status().json()["data"]
    }
