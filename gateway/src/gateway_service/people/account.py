"""What the rest of the gateway knows about a person."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.auth.permissions import Role
from shared.auth.principal import DEFAULT_TEAM_ID, Principal, UsageMode
from shared.errors import Forbidden


class AccountStatus(StrEnum):
    """A suspended person keeps everything and may do nothing."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person as stored now; `team_ids` sorted, never empty for people made here; `usage_mode` of their
    organisation.
    """

    id: UUID
    organisation_id: UUID
    email: str
    name: str
    role: Role
    status: AccountStatus
    team_ids: tuple[UUID, ...]
    usage_mode: UsageMode

    @property
    def home_team_id(self) -> UUID:
        """The team that is charged when a request names none: the default team, else the oldest."""
        if DEFAULT_TEAM_ID in self.team_ids or not self.team_ids:
            return DEFAULT_TEAM_ID
        return self.team_ids[0]

    def require_active(self) -> None:
        """Raises: Forbidden when an administrator suspended the account."""
        if self.status is not AccountStatus.ACTIVE:
            raise Forbidden(
                "this account is suspended; ask an administrator to reactivate it", code="account_suspended"
            )

    def principal(self, **narrowing: Any) -> Principal:
        """The person as a principal. `narrowing` holds claims that restrict it: sid, key, scopes, models,
        rpm, team, gw.
        """
        claims = {
            "sub": str(self.id),
            "org": str(self.organisation_id),
            "team": str(self.home_team_id),
            "teams": [str(team_id) for team_id in self.team_ids],
            "role": self.role.value,
            "usage_mode": self.usage_mode.value,
        }
        return Principal.from_claims(
            {**claims, **{name: value for name, value in narrowing.items() if value is not None}}
        )
