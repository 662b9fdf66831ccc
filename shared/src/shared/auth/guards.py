"""What a route of FastAPI asks of its caller."""

from typing import Annotated, cast

from fastapi import Depends, Request

from shared.auth.permissions import Permission
from shared.auth.principal import Principal, require_service_in
from shared.auth.tokens import TokenVerifier, presented_token


async def current_principal(request: Request) -> Principal:
    """The verified caller of this request, within the limits of calls that did not pass the gateway."""
    verifier = cast("TokenVerifier", request.app.state.verifier)
    principal = verifier.verify(presented_token(dict(request.scope["headers"])))
    request.app.state.direct_limits.check(principal)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


class Require:
    """Dependency: the caller holds `permission`. The walk tests read `permission` from it."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    # async: FastAPI would send a plain function to a thread on every request.
    async def __call__(self, principal: CurrentPrincipal) -> Principal:
        principal.require(self.permission)
        return principal


class RequireService:
    """Dependency of /internal routes: one of the named services, acting for itself or for a person."""

    def __init__(self, *services: str) -> None:
        self.services = frozenset(services)

    # async: FastAPI would send a plain function to a thread on every request.
    async def __call__(self, principal: CurrentPrincipal) -> Principal:
        require_service_in(principal, self.services)
        return principal


def require(permission: Permission) -> Require:
    """`Depends(require(Permission.X))`: the caller holds the permission."""
    return Require(permission)


def require_service(*services: str) -> RequireService:
    """`Depends(require_service("inference-service"))`: the caller is one of these services."""
    return RequireService(*services)
