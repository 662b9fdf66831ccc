"""Who a request acts for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from shared.errors import Forbidden

DEFAULT_ORGANISATION_ID = UUID("a0000000-0000-4000-8000-000000000000")
DEFAULT_TEAM_ID = UUID("a0000000-0000-4000-8000-000000000001")
_NO_PERMISSION: frozenset[Permission] = frozenset()


class UsageMode(StrEnum):
    """Which models an organisation may reach: the installation's, those of providers elsewhere, or both."""

    LOCAL = "local"
    EXTERNAL = "external"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts for. `models` empty means all models; `service` names the calling service of a
    service token; `team_id` is the team that is charged.
    """

    user_id: UUID | None
    organisation_id: UUID
    team_id: UUID
    team_ids: tuple[UUID, ...]
    role: Role
    permissions: frozenset[Permission]
    key_id: UUID | None = None
    session_id: UUID | None = None
    models: tuple[str, ...] = ()
    rpm: int | None = None
    service: str | None = None
    via_gateway: bool = False
    scopes: tuple[str, ...] | None = None
    usage_mode: UsageMode = UsageMode.HYBRID

    def allows(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises: Forbidden naming the missing permission."""
        if permission not in self.permissions:
            raise Forbidden(
                f"this needs the permission {permission.value}; ask an administrator for a role or key that "
                "has it"
            )

    @property
    def actor_id(self) -> UUID:
        """The user this principal acts for. Raises: Forbidden when there is none."""
        if self.user_id is None:
            raise Forbidden("this route acts for a person; a bare service token cannot use it")
        return self.user_id

    def to_claims(self) -> dict[str, Any]:
        """The claims that rebuild this principal; empty members are left out."""
        claims: dict[str, Any] = {
            "sub": str(self.user_id),
            "org": str(self.organisation_id),
            "team": str(self.team_id),
            "teams": [str(team) for team in self.team_ids],
            "role": self.role.value,
            "usage_mode": self.usage_mode.value,
        }
        optional = {
            "key": str(self.key_id) if self.key_id else None,
            "sid": str(self.session_id) if self.session_id else None,
            "models": list(self.models) or None,
            "rpm": self.rpm,
            "scopes": None if self.scopes is None else list(self.scopes),
            "gw": True if self.via_gateway else None,
        }
        claims.update({name: value for name, value in optional.items() if value is not None})
        return claims

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Principal":
        """Raises: KeyError, ValueError on claims this suite never signs.

        Claims of before `usage_mode` lack it: every organisation was hybrid then.
        """
        role = Role(claims["role"])
        permissions = ROLE_PERMISSIONS[role]
        scopes = claims.get("scopes")
        if scopes is not None:
            permissions = permissions & {Permission(scope) for scope in scopes}
        key, session = claims.get("key"), claims.get("sid")
        return cls(
            user_id=UUID(claims["sub"]),
            organisation_id=UUID(claims["org"]),
            team_id=UUID(claims["team"]),
            team_ids=tuple(UUID(team) for team in claims.get("teams", ())),
            role=role,
            permissions=permissions,
            key_id=UUID(key) if key else None,
            session_id=UUID(session) if session else None,
            models=tuple(claims.get("models", ())),
            rpm=claims.get("rpm"),
            via_gateway=bool(claims.get("gw")),
            scopes=None if scopes is None else tuple(scopes),
            usage_mode=UsageMode(claims.get("usage_mode", UsageMode.HYBRID)),
        )


def service_principal(service: str) -> Principal:
    """A service acting for itself: it may use /internal routes and holds no user permission."""
    return Principal(
        user_id=None,
        organisation_id=DEFAULT_ORGANISATION_ID,
        team_id=DEFAULT_TEAM_ID,
        team_ids=(),
        role=Role.USER,
        permissions=_NO_PERMISSION,
        service=service,
    )


def require_service_in(principal: Principal, services: frozenset[str]) -> None:
    """Raises: Forbidden when the caller is not one of `services`; user tokens never are."""
    if principal.service not in services:
        raise Forbidden("internal routes answer the suite's own services only")
