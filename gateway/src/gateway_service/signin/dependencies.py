"""What endpoints of sign-in ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.signin.service import Accounts


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _accounts(request: Request) -> Accounts:
    return cast("Accounts", request.app.state.accounts)


AccountsDep = Annotated[Accounts, Depends(_accounts)]
