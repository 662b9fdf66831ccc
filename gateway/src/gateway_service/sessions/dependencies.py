"""What endpoints of sessions and of sign-in ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.limits.credentials import client_address
from gateway_service.sessions.service import Device, Sessions


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _sessions(request: Request) -> Sessions:
    return cast("Sessions", request.app.state.sessions)


async def _device(request: Request) -> Device:
    return Device(user_agent=request.headers.get("user-agent", ""), address=client_address(request))


SessionsDep = Annotated[Sessions, Depends(_sessions)]
DeviceDep = Annotated[Device, Depends(_device)]
