"""Reading and changing people, inside the caller's transaction."""

from dataclasses import dataclass
from uuid import UUID

from shared.auth.permissions import Role
from shared.clock import utc_now
from shared.errors import Conflict, NotFound, Unauthenticated
from shared.pagination import Page, page_of
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.people import repository
from gateway_service.people.account import Account, AccountStatus
from gateway_service.people.models import UserAccount
from gateway_service.people.schemas import OrganisationInfo, TeamInfo, UserDetail


@dataclass(frozen=True, slots=True)
class AccountChange:
    """A person before and after."""

    before: Account
    after: Account
    detail: UserDetail


async def account(db: AsyncSession, user_id: UUID) -> Account:
    """The person as stored now. Raises: Unauthenticated when they are gone."""
    found = await repository.account_of(db, user_id)
    if found is None:
        raise Unauthenticated("this account is gone; sign in with another")
    return found


async def page_of_users(
    db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int
) -> Page[UserDetail]:
    """Most recently changed first."""
    users = await repository.page_of_users(db, organisation_id, after=after, limit=limit + 1)
    shown = users[:limit]
    teams = await repository.teams_of_users(db, [user.id for user in shown])
    data = [_detail(user, teams[user.id]) for user in shown]
    return page_of(data, limit=limit, found=len(users))


async def change_user(
    db: AsyncSession, organisation_id: UUID, user_id: UUID, *, role: Role | None, status: AccountStatus | None
) -> AccountChange:
    """Sets role and status; until the transaction ends nobody else does. Raises: NotFound."""
    await repository.lock_admins(db)
    user = await repository.user_for_update(db, organisation_id, user_id)
    if user is None:
        raise NotFound("there is no such user")
    team_ids = await repository.team_ids_of(db, user_id)
    before = repository.account_from(user, team_ids)
    user.role = (role or before.role).value
    user.status = (status or before.status).value
    after = repository.account_from(user, team_ids)
    if after != before:
        user.updated_at = utc_now()
    await db.flush()
    return AccountChange(before, after, _detail(user, team_ids))


async def delete_user(db: AsyncSession, organisation_id: UUID, user_id: UUID) -> Account:
    """Deletes the account with its password, memberships, sessions and keys; who it was. Raises: NotFound."""
    await repository.lock_admins(db)
    user = await repository.user_for_update(db, organisation_id, user_id)
    if user is None:
        raise NotFound("there is no such user")
    account = repository.account_from(user, await repository.team_ids_of(db, user_id))
    await repository.remove(db, user_id)
    return account


async def require_an_admin_left(db: AsyncSession, change: AccountChange) -> None:
    """Raises: Conflict when the change left nobody to administrate."""
    if _is_admin(change.before) and not _is_admin(change.after):
        await _require_an_admin(db, change.after.organisation_id)


async def require_an_admin_left_without(db: AsyncSession, deleted: Account) -> None:
    """Raises: Conflict when the deleted account was the last that could administrate."""
    if _is_admin(deleted):
        await _require_an_admin(db, deleted.organisation_id)


async def _require_an_admin(db: AsyncSession, organisation_id: UUID) -> None:
    if await repository.active_admins(db, organisation_id) == 0:
        raise Conflict(
            "this is the last active administrator; make someone else one first", code="last_admin"
        )


async def organisation(db: AsyncSession, organisation_id: UUID) -> OrganisationInfo:
    """Raises: NotFound."""
    found = await repository.organisation(db, organisation_id)
    if found is None:
        raise NotFound("there is no such organisation")
    return OrganisationInfo.model_validate(found, from_attributes=True)


async def page_of_teams(
    db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int
) -> Page[TeamInfo]:
    rows = await repository.page_of_teams(db, organisation_id, after=after, limit=limit + 1)
    data = [
        TeamInfo(id=team.id, organisation_id=team.organisation_id, name=team.name, members=members)
        for team, members in rows
    ]
    return page_of(data, limit=limit)


def _is_admin(account: Account) -> bool:
    return account.role is Role.ADMIN and account.status is AccountStatus.ACTIVE


def _detail(user: UserAccount, team_ids: tuple[UUID, ...]) -> UserDetail:
    return UserDetail(
        id=user.id,
        email=user.email,
        name=user.name,
        role=Role(user.role),
        organisation_id=user.organisation_id,
        teams=list(team_ids),
        status=AccountStatus(user.status),
        last_signin_at=user.last_signin_at,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
