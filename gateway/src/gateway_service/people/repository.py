"""All SQL about people, organisations and teams."""

from datetime import datetime
from uuid import UUID

from shared.auth.permissions import Role
from shared.auth.principal import UsageMode
from sqlalchemy import Row, delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.people.account import Account, AccountStatus
from gateway_service.people.models import Membership, Organisation, Team, UserAccount

# Any constant will do; it only has to be the same in every gateway process.
_ADMINS_LOCK = 4_107_201_127


async def lock_admins(db: AsyncSession) -> None:
    """Until the transaction ends nobody else changes roles: two admins must not demote each other at once."""
    await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADMINS_LOCK})


async def anyone_exists(db: AsyncSession) -> bool:
    return bool(await db.scalar(select(select(UserAccount.id).exists())))


async def id_of_email(db: AsyncSession, email: str) -> UUID | None:
    return await db.scalar(select(UserAccount.id).where(UserAccount.email == email))


async def add(db: AsyncSession, account: Account, *, now: datetime) -> None:
    """The person and their memberships. Raises: IntegrityError when the address is taken."""
    db.add(
        UserAccount(
            id=account.id,
            organisation_id=account.organisation_id,
            email=account.email,
            name=account.name,
            role=account.role.value,
            status=account.status.value,
            last_signin_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    await db.flush()
    db.add_all(
        Membership(user_id=account.id, team_id=team_id, created_at=now) for team_id in account.team_ids
    )
    await db.flush()


async def touch_signin(db: AsyncSession, user_id: UUID, *, now: datetime) -> None:
    await db.execute(update(UserAccount).where(UserAccount.id == user_id).values(last_signin_at=now))


async def account_of(db: AsyncSession, user_id: UUID) -> Account | None:
    user = await db.get(UserAccount, user_id)
    return None if user is None else account_from(user, await team_ids_of(db, user_id))


async def team_ids_of(db: AsyncSession, user_id: UUID) -> tuple[UUID, ...]:
    return tuple(
        await db.scalars(
            select(Membership.team_id).where(Membership.user_id == user_id).order_by(Membership.team_id)
        )
    )


async def teams_of_users(db: AsyncSession, user_ids: list[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """Team ids of each of the users, in one query."""
    found: dict[UUID, list[UUID]] = {user_id: [] for user_id in user_ids}
    statement = select(Membership.user_id, Membership.team_id).where(Membership.user_id.in_(user_ids))
    rows = await db.execute(statement.order_by(Membership.team_id))
    for user_id, team_id in rows:
        found[user_id].append(team_id)
    return {user_id: tuple(teams) for user_id, teams in found.items()}


async def page_of_users(
    db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int
) -> list[UserAccount]:
    """Most recently changed first; `after` is the last id already seen."""
    statement = select(UserAccount).where(UserAccount.organisation_id == organisation_id)
    if after is not None:
        seen_at = select(UserAccount.updated_at).where(UserAccount.id == after).scalar_subquery()
        statement = statement.where(tuple_(UserAccount.updated_at, UserAccount.id) < tuple_(seen_at, after))
    return list(
        await db.scalars(
            statement.order_by(UserAccount.updated_at.desc(), UserAccount.id.desc()).limit(limit)
        )
    )


async def user_for_update(db: AsyncSession, organisation_id: UUID, user_id: UUID) -> UserAccount | None:
    statement = (
        select(UserAccount)
        .where(UserAccount.id == user_id, UserAccount.organisation_id == organisation_id)
        .with_for_update()
    )
    return await db.scalar(statement)


async def remove(db: AsyncSession, user_id: UUID) -> None:
    """The account with its password, memberships, sessions and keys."""
    await db.execute(delete(UserAccount).where(UserAccount.id == user_id))


async def active_admins(db: AsyncSession, organisation_id: UUID) -> int:
    statement = select(func.count()).where(
        UserAccount.organisation_id == organisation_id,
        UserAccount.role == Role.ADMIN.value,
        UserAccount.status == AccountStatus.ACTIVE.value,
    )
    return int(await db.scalar(statement) or 0)


async def first_admin_id(db: AsyncSession) -> UUID | None:
    return await db.scalar(
        select(UserAccount.id)
        .where(UserAccount.role == Role.ADMIN.value)
        .order_by(UserAccount.created_at)
        .limit(1)
    )


async def organisation(db: AsyncSession, organisation_id: UUID) -> Organisation | None:
    return await db.get(Organisation, organisation_id)


async def page_of_teams(
    db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int
) -> list[Row[Team, int]]:
    """Teams with their number of members, by id."""
    members = select(func.count()).where(Membership.team_id == Team.id).correlate(Team).scalar_subquery()
    statement = select(Team, members).where(Team.organisation_id == organisation_id)
    if after is not None:
        statement = statement.where(Team.id > after)
    return list(await db.execute(statement.order_by(Team.id).limit(limit)))


def account_from(user: UserAccount, team_ids: tuple[UUID, ...]) -> Account:
    return Account(
        id=user.id,
        organisation_id=user.organisation_id,
        email=user.email,
        name=user.name,
        role=Role(user.role),
        status=AccountStatus(user.status),
        team_ids=team_ids,
        usage_mode=UsageMode(user.usage_mode),
    )
