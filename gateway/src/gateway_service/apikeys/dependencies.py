"""What endpoints of API keys ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway_service.apikeys.service import ApiKeys


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _api_keys(request: Request) -> ApiKeys:
    return cast("ApiKeys", request.app.state.api_keys)


ApiKeysDep = Annotated[ApiKeys, Depends(_api_keys)]
