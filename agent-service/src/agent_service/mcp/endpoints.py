"""HTTP of MCP servers: for administrators only, since their URLs and tools are the organisation's
business.
"""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.db import Database
from shared.dependencies import SessionDep
from shared.pagination import Page

from agent_service.mcp.dependencies import McpDep
from agent_service.mcp.schemas import McpCheck, McpServer, McpServerCreate, McpServerPatch

Manager = Annotated[Principal, Depends(require(Permission.TOOLS_MANAGE))]

router = APIRouter(prefix="/api/v1/agents/mcp-servers", tags=["mcp-servers"])


@router.get("", summary="The MCP servers of your organisation and how they are doing")
async def list_servers(mcp: McpDep, principal: Manager) -> Page[McpServer]:
    return Page(data=await mcp.list_all(principal))


@router.post("", status_code=201, summary="Add an MCP server that is reached over HTTP")
async def create_server(
    body: McpServerCreate, session: SessionDep, mcp: McpDep, principal: Manager
) -> McpServer:
    return await mcp.create(session, principal, body)


@router.get("/{server_id}", summary="One MCP server")
async def read_server(server_id: UUID, session: SessionDep, mcp: McpDep, principal: Manager) -> McpServer:
    return mcp.view(await mcp.get(session, principal, server_id))


@router.patch("/{server_id}", summary="Change an MCP server")
async def patch_server(
    server_id: UUID, body: McpServerPatch, session: SessionDep, mcp: McpDep, principal: Manager
) -> McpServer:
    return await mcp.patch(session, principal, server_id, body)


@router.delete("/{server_id}", status_code=204, summary="Remove an MCP server")
async def delete_server(server_id: UUID, request: Request, mcp: McpDep, principal: Manager) -> None:
    # Its own transaction: the connection is closed only when the removal holds.
    async with cast("Database", request.app.state.database).transaction() as session:
        await mcp.delete(session, principal, server_id)
    await mcp.forget(server_id)


@router.post("/{server_id}/check", summary="Connect now and list its tools")
async def check_server(server_id: UUID, request: Request, mcp: McpDep, principal: Manager) -> McpCheck:
    # Its own transaction: none is held while the server takes its time.
    async with cast("Database", request.app.state.database).transaction() as session:
        known = await mcp.get(session, principal, server_id)
    return await mcp.check(known)
