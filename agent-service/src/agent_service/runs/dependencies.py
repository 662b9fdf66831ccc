"""What the endpoints of runs take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from agent_service.events.follow import RunStreams
from agent_service.runs.service import RunService
from agent_service.settings import AgentSettings

# async: FastAPI would send a plain function to a thread on every request, where it waits for the busy loop to
# let go.


async def _settings(request: Request) -> AgentSettings:
    return cast("AgentSettings", request.app.state.settings)


async def _streams(request: Request) -> RunStreams:
    return cast("RunStreams", request.app.state.streams)


async def _runs(request: Request) -> RunService:
    return cast("RunService", request.app.state.runs)


SettingsDep = Annotated[AgentSettings, Depends(_settings)]
StreamsDep = Annotated[RunStreams, Depends(_streams)]
RunsDep = Annotated[RunService, Depends(_runs)]
