"""HTTP of administration."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.pagination import Limit, Page

from gateway_service.admin.dependencies import AdminDep
from gateway_service.admin.schemas import UserChange
from gateway_service.audit.schemas import AuditInfo
from gateway_service.people.schemas import OrganisationInfo, TeamInfo, UserDetail

UsersReader = Annotated[Principal, Depends(require(Permission.USERS_READ))]
UsersWriter = Annotated[Principal, Depends(require(Permission.USERS_WRITE))]
AuditReader = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]
AfterId = Annotated[UUID | None, Query(description="id of the last row already seen")]


def build_router() -> APIRouter:
    """The routes of administrators."""
    router = APIRouter(prefix="/api/v1/admin", tags=["admin"])

    @router.get("/users", summary="People of the organisation, the last changed first")
    async def list_users(
        principal: UsersReader, admin: AdminDep, limit: Limit = 50, after: AfterId = None
    ) -> Page[UserDetail]:
        return await admin.users(principal, after=after, limit=limit)

    @router.patch("/users/{user_id}", summary="Change a person's role or status")
    async def change_user(
        user_id: UUID, form: UserChange, principal: UsersWriter, admin: AdminDep
    ) -> UserDetail:
        return await admin.change_user(principal, user_id, form)

    @router.delete(
        "/users/{user_id}", summary="Delete a person's account and all that is theirs", status_code=204
    )
    async def delete_user(user_id: UUID, principal: UsersWriter, admin: AdminDep) -> None:
        await admin.delete_user(principal, user_id)

    @router.get("/organisations", summary="The caller's organisation")
    async def list_organisations(principal: UsersReader, admin: AdminDep) -> Page[OrganisationInfo]:
        return await admin.organisations(principal)

    @router.get("/teams", summary="Teams of the organisation")
    async def list_teams(
        principal: UsersReader, admin: AdminDep, limit: Limit = 50, after: AfterId = None
    ) -> Page[TeamInfo]:
        return await admin.teams(principal, after=after, limit=limit)

    @router.get("/audit", summary="Administrative acts, newest first")
    async def list_audit(
        principal: AuditReader, admin: AdminDep, limit: Limit = 50, after: AfterId = None
    ) -> Page[AuditInfo]:
        return await admin.audit_log(principal, after=after, limit=limit)

    return router
