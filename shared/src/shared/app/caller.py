"""The route by which a client checks that its token works at a service."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.auth.guards import require
from shared.auth.permissions import Permission, Role
from shared.auth.principal import Principal


class CallerView(BaseModel):
    """The caller this service verified."""

    user_id: UUID
    organisation_id: UUID
    team_id: UUID
    role: Role
    permissions: list[Permission]


def caller_router(prefix: str) -> APIRouter:
    """`GET <prefix>/me`."""
    router = APIRouter(prefix=prefix, tags=["identity"])

    @router.get("/me", summary="Who the caller is")
    async def me(principal: Annotated[Principal, Depends(require(Permission.ME_READ))]) -> CallerView:
        return CallerView(
            user_id=principal.actor_id,
            organisation_id=principal.organisation_id,
            team_id=principal.team_id,
            role=principal.role,
            permissions=sorted(principal.permissions),
        )

    return router
