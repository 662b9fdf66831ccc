"""What endpoints of administration ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.admin.service import Admin


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _admin(request: Request) -> Admin:
    return cast("Admin", request.app.state.admin)


AdminDep = Annotated[Admin, Depends(_admin)]
