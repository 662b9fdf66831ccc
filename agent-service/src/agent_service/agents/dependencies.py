"""What the endpoints of agents take from the process."""

from typing import Annotated, cast

from fastapi import Depends, Request

from agent_service.agents.service import FieldChecks
from agent_service.settings import AgentSettings

# async: FastAPI would send a plain function to a thread on every request, where it waits for the busy loop to
# let go.


async def _settings(request: Request) -> AgentSettings:
    return cast("AgentSettings", request.app.state.settings)


async def _field_checks(request: Request) -> FieldChecks:
    return cast("FieldChecks", request.app.state.field_checks)


SettingsDep = Annotated[AgentSettings, Depends(_settings)]
FieldChecksDep = Annotated[FieldChecks, Depends(_field_checks)]
