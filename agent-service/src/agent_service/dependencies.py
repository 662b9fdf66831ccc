"""What endpoints take from the process: the objects that main.py built."""

from typing import Annotated, cast

from fastapi import Depends, Request

from agent_service.agents.service import FieldChecks
from agent_service.runs.follow import RunStreams
from agent_service.runs.service import RunService
from agent_service.settings import AgentSettings


async def _settings(request: Request) -> AgentSettings:
    return cast("AgentSettings", request.app.state.settings)


async def _field_checks(request: Request) -> FieldChecks:
    return cast("FieldChecks", request.app.state.field_checks)


async def _runs(request: Request) -> RunService:
    return cast("RunService", request.app.state.runs)


async def _streams(request: Request) -> RunStreams:
    return cast("RunStreams", request.app.state.streams)


SettingsDep = Annotated[AgentSettings, Depends(_settings)]
FieldChecksDep = Annotated[FieldChecks, Depends(_field_checks)]
RunsDep = Annotated[RunService, Depends(_runs)]
StreamsDep = Annotated[RunStreams, Depends(_streams)]
