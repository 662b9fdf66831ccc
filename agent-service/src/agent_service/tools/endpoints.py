"""HTTP of tools."""

from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.agents import Tool
from shared.pagination import Page

from agent_service.tools import service
from agent_service.tools.dependencies import ToolboxDep

Reader = Annotated[Principal, Depends(require(Permission.AGENTS_READ))]

router = APIRouter(prefix="/api/v1/agents/tools", tags=["tools"])


@router.get(
    "", summary="The tools your agents can be given, also those that do not work now, with the reason"
)
async def list_tools(toolbox: ToolboxDep, principal: Reader) -> Page[Tool]:
    return Page(data=[service.view(offer) for offer in await toolbox.offers(principal)])
