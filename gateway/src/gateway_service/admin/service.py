"""Administrative acts: each with its audit entry, its events and its effect in one transaction."""

from uuid import UUID

from shared.access import AccessTopic
from shared.auth.permissions import ROLE_PERMISSIONS, Role
from shared.auth.principal import Principal
from shared.db import Database
from shared.errors import Forbidden
from shared.pagination import Page
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.admin.schemas import UserChange
from gateway_service.audit import service as audit
from gateway_service.audit.schemas import AuditInfo
from gateway_service.audit.service import Act
from gateway_service.identity.changes import IdentityChanges, user_subject
from gateway_service.people import directory
from gateway_service.people.account import Account, AccountStatus
from gateway_service.people.directory import AccountChange
from gateway_service.people.schemas import OrganisationInfo, TeamInfo, UserDetail


class Admin:
    """What administrators see and change, always within their own organisation."""

    def __init__(self, *, database: Database, changes: IdentityChanges) -> None:
        self._database = database
        self._changes = changes

    async def users(self, principal: Principal, *, after: UUID | None, limit: int) -> Page[UserDetail]:
        async with self._database.transaction() as db:
            return await directory.page_of_users(db, principal.organisation_id, after=after, limit=limit)

    async def organisations(self, principal: Principal) -> Page[OrganisationInfo]:
        async with self._database.transaction() as db:
            found = await directory.organisation(db, principal.organisation_id)
        return Page(data=[found], last_id=str(found.id))

    async def teams(self, principal: Principal, *, after: UUID | None, limit: int) -> Page[TeamInfo]:
        async with self._database.transaction() as db:
            return await directory.page_of_teams(db, principal.organisation_id, after=after, limit=limit)

    async def audit_log(self, principal: Principal, *, after: UUID | None, limit: int) -> Page[AuditInfo]:
        async with self._database.transaction() as db:
            return await audit.page(db, principal.organisation_id, after=after, limit=limit)

    async def change_user(self, principal: Principal, user_id: UUID, form: UserChange) -> UserDetail:
        """Sets a person's role or status; their tokens and keys follow at once.

        Raises:
            NotFound, Conflict on the last administrator.
            Forbidden: nobody hands out or takes away more than they hold, or suspends themselves.
        """
        if user_id == principal.user_id and form.status is AccountStatus.SUSPENDED:
            raise Forbidden("you cannot suspend yourself; ask another administrator")
        async with self._database.transaction() as db:
            change = await directory.change_user(
                db, principal.organisation_id, user_id, role=form.role, status=form.status
            )
            _require_within(principal, change)
            await directory.require_an_admin_left(db, change)
            if change.before != change.after:
                await self._record(db, principal, change)
        return change.detail

    async def delete_user(self, principal: Principal, user_id: UUID) -> None:
        """Deletes a person's account; the services delete what was theirs, by docs/retention.md.

        Raises:
            NotFound, Conflict on the last administrator.
            Forbidden: nobody deletes a person who holds more than they do, or themselves.
        """
        if user_id == principal.user_id:
            raise Forbidden("you cannot delete your own account here; ask another administrator")
        async with self._database.transaction() as db:
            account = await directory.delete_user(db, principal.organisation_id, user_id)
            _require_role_within(principal, account.role)
            await directory.require_an_admin_left_without(db, account)
            await self._audit(
                db, principal, user_id, action="user.deleted", detail={"role": account.role.value}
            )
            await self._announce(db, AccessTopic.DELETED, account)

    async def _record(self, db: AsyncSession, principal: Principal, change: AccountChange) -> None:
        before, after = change.before, change.after
        if before.role is not after.role:
            await self._audit(
                db,
                principal,
                after.id,
                action="user.role_changed",
                detail={"before": before.role.value, "after": after.role.value},
            )
            await self._announce(db, AccessTopic.ROLE_CHANGED, after)
        if before.status is not after.status:
            await self._audit(
                db,
                principal,
                after.id,
                action="user.status_changed",
                detail={"before": before.status.value, "after": after.status.value},
            )
            if after.status is AccountStatus.SUSPENDED:
                await self._announce(db, AccessTopic.SUSPENDED, after)
            else:
                await self._changes.forget(db, user_subject(after.id))

    async def _audit(
        self, db: AsyncSession, principal: Principal, user_id: UUID, *, action: str, detail: dict[str, str]
    ) -> None:
        act = Act(action=action, target_type="user", target_id=user_id, detail=detail)
        await audit.record(db, act, organisation_id=principal.organisation_id, actor=principal)

    async def _announce(self, db: AsyncSession, topic: AccessTopic, account: Account) -> None:
        payload = {
            "user_id": account.id,
            "organisation_id": account.organisation_id,
            "role": account.role.value,
        }
        await self._changes.publish(db, topic, subject=user_subject(account.id), payload=payload)


def _require_within(principal: Principal, change: AccountChange) -> None:
    """Nobody makes or unmakes people who hold permissions the caller lacks."""
    for role in (change.before.role, change.after.role):
        _require_role_within(principal, role)


def _require_role_within(principal: Principal, role: Role) -> None:
    if not _role_within(principal, role):
        raise Forbidden(
            f"you lack permissions of the role {role.value}; ask an administrator", code="role_exceeds_own"
        )


def _role_within(principal: Principal, role: Role) -> bool:
    """Whether `role` allows nothing that `principal` may not do."""
    return ROLE_PERMISSIONS[role] <= principal.permissions
