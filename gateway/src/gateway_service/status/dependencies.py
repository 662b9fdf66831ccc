"""What endpoints of the state ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.status.service import InstalledServices


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _installed_services(request: Request) -> InstalledServices:
    return cast("InstalledServices", request.app.state.installed_services)


InstalledServicesDep = Annotated[InstalledServices, Depends(_installed_services)]
