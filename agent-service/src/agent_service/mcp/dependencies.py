"""What the endpoints of MCP servers take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from agent_service.mcp.service import McpService


async def _mcp(request: Request) -> McpService:
    return cast("McpService", request.app.state.mcp)


McpDep = Annotated[McpService, Depends(_mcp)]
