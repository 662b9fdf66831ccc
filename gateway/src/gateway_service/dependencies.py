"""What endpoints ask for: the features' services, built once in main.py, and the caller."""

from typing import Annotated, cast

from fastapi import Depends, Request
from shared.auth.principal import Principal
from shared.auth.tokens import bearer_token
from shared.errors import Forbidden, TooManyRequests, Unauthenticated

from gateway_service.accounts.service import Accounts
from gateway_service.admin.service import Admin
from gateway_service.apikeys.service import ApiKeys
from gateway_service.credential_limits import client_address
from gateway_service.proxy.ports import Authenticator, Limiter, RouteClass
from gateway_service.sessions.service import Device, Sessions
from gateway_service.settings import GatewaySettings


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _accounts(request: Request) -> Accounts:
    return cast("Accounts", request.app.state.accounts)


async def _sessions(request: Request) -> Sessions:
    return cast("Sessions", request.app.state.sessions)


async def _api_keys(request: Request) -> ApiKeys:
    return cast("ApiKeys", request.app.state.api_keys)


async def _admin(request: Request) -> Admin:
    return cast("Admin", request.app.state.admin)


async def _settings(request: Request) -> GatewaySettings:
    return cast("GatewaySettings", request.app.state.settings)


async def _device(request: Request) -> Device:
    return Device(user_agent=request.headers.get("user-agent", ""), address=client_address(request))


AccountsDep = Annotated[Accounts, Depends(_accounts)]
SessionsDep = Annotated[Sessions, Depends(_sessions)]
ApiKeysDep = Annotated[ApiKeys, Depends(_api_keys)]
AdminDep = Annotated[Admin, Depends(_admin)]
SettingsDep = Annotated[GatewaySettings, Depends(_settings)]
DeviceDep = Annotated[Device, Depends(_device)]


def presented_credential(request: Request) -> bytes:
    """The token or key of this request. Raises: Unauthenticated when there is none."""
    authorization, key = request.headers.get("authorization"), request.headers.get("x-api-key")
    return (key if authorization is None and key else bearer_token(authorization)).encode("latin-1")


async def gateway_principal(request: Request) -> Principal:
    """Takes the place of shared.auth.guards.current_principal here: API keys work too, and what was revoked stops at once."""
    authenticator = cast("Authenticator", request.app.state.authenticator)
    credential = presented_credential(request)
    limiter = cast("Limiter", request.app.state.limiter)
    identity = authenticator.remembered(credential)
    if identity is None:
        try:
            identity = await authenticator.authenticate(credential)
        except (Unauthenticated, Forbidden):
            decision = limiter.count_failure(client_address(request))
            if not decision.allowed:
                raise TooManyRequests("too many refused credentials from this address", retry_after_s=decision.retry_after_s) from None
            raise
    decision = limiter.check(identity, RouteClass.REST)
    if not decision.allowed:
        raise TooManyRequests("you sent more requests than your limit allows", retry_after_s=decision.retry_after_s)
    return identity.principal
