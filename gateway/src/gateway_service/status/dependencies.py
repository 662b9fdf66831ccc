"""What endpoints of the state ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.status.service import Installation


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _installation(request: Request) -> Installation:
    return cast("Installation", request.app.state.installation)


InstallationDep = Annotated[Installation, Depends(_installation)]
