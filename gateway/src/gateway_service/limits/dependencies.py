"""The caller of the gateway's own routes, within their limits."""

from typing import cast

from fastapi import Request
from shared.auth.principal import Principal
from shared.auth.tokens import bearer_token
from shared.errors import Forbidden, TooManyRequests, Unauthenticated

from gateway_service.identity.ports import Authenticator
from gateway_service.limits.credentials import client_address
from gateway_service.limits.ports import Limiter, RouteClass, decided


def presented_credential(request: Request) -> bytes:
    """The token or key of this request. Raises: Unauthenticated when there is none."""
    authorization, key = request.headers.get("authorization"), request.headers.get("x-api-key")
    return (key if authorization is None and key else bearer_token(authorization)).encode("latin-1")


async def gateway_principal(request: Request) -> Principal:
    """Takes the place of shared.auth.current_principal here: API keys work too, and what was revoked stops at
    once.
    """
    authenticator = cast("Authenticator", request.app.state.authenticator)
    credential = presented_credential(request)
    limiter = cast("Limiter", request.app.state.limiter)
    identity = authenticator.remembered(credential)
    if identity is None:
        try:
            identity = await authenticator.authenticate(credential)
        except (Unauthenticated, Forbidden):
            decision = await decided(limiter.count_failure(client_address(request)))
            if not decision.allowed:
                raise TooManyRequests(
                    "too many refused credentials from this address", retry_after_s=decision.retry_after_s
                ) from None
            raise
    decision = await decided(limiter.check(identity, RouteClass.REST))
    if not decision.allowed:
        raise TooManyRequests(
            "you sent more requests than your limit allows", retry_after_s=decision.retry_after_s
        )
    return identity.principal
