"""What the endpoints of tools take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from agent_service.tools.service import ToolRegistry


async def _toolbox(request: Request) -> ToolRegistry:
    return cast("ToolRegistry", request.app.state.tools)


ToolboxDep = Annotated[ToolRegistry, Depends(_toolbox)]
