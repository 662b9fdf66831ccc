"""Wire models of people, organisations and teams."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from shared.auth.permissions import Role
from shared.auth.principal import UsageMode

from gateway_service.people.account import Account, AccountStatus


class User(BaseModel):
    """A person as they see themselves."""

    id: UUID
    email: str
    name: str
    role: Role
    organisation_id: UUID
    teams: list[UUID]

    @classmethod
    def of(cls, account: Account) -> "User":
        return cls(
            id=account.id,
            email=account.email,
            name=account.name,
            role=account.role,
            organisation_id=account.organisation_id,
            teams=list(account.team_ids),
        )


class UserDetail(User):
    """A person as administrators see them."""

    status: AccountStatus
    last_signin_at: datetime | None
    created_at: datetime
    updated_at: datetime


class OrganisationInfo(BaseModel):
    """A customer."""

    id: UUID
    name: str
    usage_mode: UsageMode
    created_at: datetime


class TeamInfo(BaseModel):
    """A team and how many belong to it."""

    id: UUID
    organisation_id: UUID
    name: str
    members: int
