"""Who is calling and what they may do: principals, permissions, and the tokens every service verifies by itself."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import Depends, Request
from jwt.types import Options

from shared.clock import utc_now
from shared.errors import Forbidden, Unauthenticated

USER_AUDIENCE = "atrium"
USER_ISSUER = "atrium"
USER_KEY_ID = "user-1"
DEFAULT_ORGANISATION_ID = UUID("a0000000-0000-4000-8000-000000000000")
DEFAULT_TEAM_ID = UUID("a0000000-0000-4000-8000-000000000001")
API_KEY_PREFIX = "atr-"
USER_TOKEN_TTL_S = 300
SERVICE_TOKEN_TTL_S = 60
_SERVICE_TOKEN_REUSE_S = 45
_TOKEN_BYTES_MAX = 8192
_REMEMBERED_MAX = 10_000
_LEEWAY_S = 5
_KEY_HINT = "services accept tokens only; swap the API key for one at POST /api/v1/auth/token of the gateway"
_REQUIRED_CLAIMS: Options = {"require": ["exp", "iat", "sub", "aud", "iss"]}


class Permission(StrEnum):
    """Every permission by name; a route names exactly one."""

    ME_READ = "me:read"
    ME_WRITE = "me:write"
    KEYS_MANAGE = "keys:manage"
    CHATS_READ = "chats:read"
    CHATS_WRITE = "chats:write"
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    AGENTS_RUN = "agents:run"
    CODE_EXECUTE = "code:execute"
    TOOLS_MANAGE = "tools:manage"
    MODELS_USE = "models:use"
    MODELS_READ = "models:read"
    USAGE_READ = "usage:read"
    USAGE_READ_ALL = "usage:read_all"
    PRICES_READ = "prices:read"
    PRICES_WRITE = "prices:write"
    WALLETS_READ = "wallets:read"
    WALLETS_WRITE = "wallets:write"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    LEDGER_READ = "ledger:read"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    AUDIT_READ = "audit:read"
    STATUS_READ = "status:read"


class Role(StrEnum):
    """Roles are permission sets, not a ladder."""

    ADMIN = "admin"
    ADMIN_READONLY = "admin-readonly"
    FINANCE = "finance"
    ORG_ADMIN = "org-admin"
    TEAM_ADMIN = "team-admin"
    USER = "user"
    PENDING = "pending"


P = Permission
_PENDING = frozenset({P.ME_READ, P.ME_WRITE})
_USER = _PENDING | {
    P.KEYS_MANAGE, P.CHATS_READ, P.CHATS_WRITE, P.FILES_READ, P.FILES_WRITE, P.AGENTS_READ, P.AGENTS_WRITE, P.AGENTS_RUN,
    P.CODE_EXECUTE, P.MODELS_USE, P.MODELS_READ, P.USAGE_READ, P.PRICES_READ, P.STATUS_READ,
}  # fmt: skip
_READS = frozenset({
    P.ME_READ, P.MODELS_READ, P.USAGE_READ, P.USAGE_READ_ALL, P.PRICES_READ, P.WALLETS_READ, P.BUDGETS_READ, P.LEDGER_READ,
    P.USERS_READ, P.AUDIT_READ, P.STATUS_READ,
})  # fmt: skip
ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    # Holds no write permission, not even on its own account, so that a leaked session changes nothing.
    Role.ADMIN_READONLY: _READS,
    Role.FINANCE: _USER
    | {P.USAGE_READ_ALL, P.PRICES_WRITE, P.WALLETS_READ, P.WALLETS_WRITE, P.BUDGETS_READ, P.BUDGETS_WRITE, P.LEDGER_READ, P.USERS_READ},
    Role.ORG_ADMIN: _USER
    | {P.USAGE_READ_ALL, P.WALLETS_READ, P.BUDGETS_READ, P.BUDGETS_WRITE, P.LEDGER_READ, P.USERS_READ, P.USERS_WRITE, P.AUDIT_READ},
    Role.TEAM_ADMIN: _USER | {P.USERS_READ},
    Role.USER: _USER,
    Role.PENDING: _PENDING,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts for. `models` empty means all models; `service` names the calling service of a service token."""

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

    def allows(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises: Forbidden naming the missing permission."""
        if permission not in self.permissions:
            raise Forbidden(f"this needs the permission {permission.value}; ask an administrator for a role or key that has it")

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
        """Raises: KeyError, ValueError on claims this suite never signs."""
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
        )


_NO_PERMISSION: frozenset[Permission] = frozenset()


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


class TokenVerifier:
    """Verifies user and service tokens offline; remembers what it verified by the whole token until it expires.

    `callers` names the services whose tokens count here (none: user tokens only), and the most each may be permitted for a person it
    acts for.
    """

    def __init__(
        self, *, jwks: str, audience: str, callers: Mapping[str, frozenset[Permission]] | None = None, hs256_secret: str | None = None
    ) -> None:
        self._callers = dict(callers or {})
        known = {USER_KEY_ID, *self._callers}
        self._keys = {key["kid"]: jwt.PyJWK(key).key for key in json.loads(jwks)["keys"] if key["kid"] in known}
        self._audience = audience
        self._hs256_secret = hs256_secret
        self._remembered: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def verify(self, token: str) -> Principal:
        """Raises: Unauthenticated, saying what to do."""
        found = self._remembered.get(token)
        if found is not None:
            if found[0] > utc_now().timestamp():
                return found[1]
            del self._remembered[token]
        if token.startswith(API_KEY_PREFIX):
            raise Unauthenticated(_KEY_HINT)
        expires_at, principal = self._decode(token)
        self._remembered[token] = (expires_at, principal)
        if len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return principal

    def forget(self) -> None:
        """Drop everything remembered."""
        self._remembered.clear()

    def _decode(self, token: str) -> tuple[float, Principal]:
        if len(token) > _TOKEN_BYTES_MAX:
            raise Unauthenticated("the token is too long to be one of ours; sign in again")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            claims = self._claims(token, kid)
            return float(claims["exp"]), self._principal(claims, kid)
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise Unauthenticated("the token is not valid or has expired; sign in again or refresh it", code="invalid_token") from None

    def _claims(self, token: str, kid: str | None) -> dict[str, Any]:
        key, algorithm = self._keys[str(kid)], "EdDSA"
        audience, issuer = (USER_AUDIENCE, USER_ISSUER) if kid == USER_KEY_ID else (self._audience, str(kid))
        if kid == USER_KEY_ID and self._hs256_secret is not None:
            key, algorithm = self._hs256_secret, "HS256"
        return jwt.decode(token, key, algorithms=[algorithm], audience=audience, issuer=issuer, options=_REQUIRED_CLAIMS, leeway=_LEEWAY_S)

    def _principal(self, claims: dict[str, Any], kid: str | None) -> Principal:
        if kid == USER_KEY_ID:
            return Principal.from_claims(claims)
        act = cast("dict[str, Any] | None", claims.get("act"))
        if act is None:
            return service_principal(str(kid))
        acting = Principal.from_claims(act)
        # via_gateway: the limits were applied where the person's request came in.
        return replace(acting, permissions=acting.permissions & self._callers[str(kid)], service=str(kid), via_gateway=True)


class UserTokens:
    """Signs user tokens; only the gateway holds this key."""

    def __init__(self, *, signing_key_pem: str, hs256_secret: str | None = None) -> None:
        self._key = _load_ed25519(signing_key_pem)
        self._hs256_secret = hs256_secret

    def sign(self, principal: Principal, *, ttl_s: int = USER_TOKEN_TTL_S) -> str:
        """A token of `principal`, valid for `ttl_s` seconds."""
        now = int(utc_now().timestamp())
        claims = {**principal.to_claims(), "iss": USER_ISSUER, "aud": USER_AUDIENCE, "iat": now, "exp": now + ttl_s}
        headers = {"kid": USER_KEY_ID}
        if self._hs256_secret is not None:
            return jwt.encode(claims, self._hs256_secret, algorithm="HS256", headers=headers)
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)


class ServiceTokens:
    """Signs this service's calls to others; a token is reused for most of its minute."""

    def __init__(self, *, signing_key_pem: str, service: str) -> None:
        self._key = _load_ed25519(signing_key_pem)
        self._service = service
        self._reusable: OrderedDict[tuple[str, Principal | None], tuple[float, bytes]] = OrderedDict()

    def header_for(self, target: str, principal: Principal | None = None) -> bytes:
        """`Bearer ...` for a call to `target`, acting for `principal` when given."""
        now = utc_now().timestamp()
        cache_key = (target, principal)
        found = self._reusable.get(cache_key)
        if found is not None and found[0] > now:
            return found[1]
        header = b"Bearer " + self._sign(target, principal, int(now)).encode("ascii")
        self._reusable[cache_key] = (now + _SERVICE_TOKEN_REUSE_S, header)
        self._reusable.move_to_end(cache_key)
        if len(self._reusable) > _REMEMBERED_MAX:
            self._reusable.popitem(last=False)
        return header

    def _sign(self, target: str, principal: Principal | None, now_s: int) -> str:
        claims: dict[str, Any] = {
            "iss": self._service,
            "aud": target,
            "sub": f"service:{self._service}",
            "iat": now_s,
            "exp": now_s + SERVICE_TOKEN_TTL_S,
        }
        if principal is not None:
            claims["act"] = principal.to_claims()
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._service})


def _load_ed25519(pem: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the signing key must be an Ed25519 private key in PEM")
    return key


def bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header. Raises: Unauthenticated when there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send Authorization: Bearer <token>; POST /api/v1/auth/signin gives one")
    return token.strip()


def presented_token(headers: Mapping[bytes, bytes]) -> str:
    """The token of a request's headers. Raises: Unauthenticated when there is none, naming the way for an API key."""
    authorization = headers.get(b"authorization")
    if authorization is None and b"x-api-key" in headers:
        raise Unauthenticated(_KEY_HINT)
    return bearer_token(authorization.decode("latin-1") if authorization else None)


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


def require_service_in(principal: Principal, services: frozenset[str]) -> None:
    """Raises: Forbidden when the caller is not one of `services`; user tokens never are."""
    if principal.service not in services:
        raise Forbidden("internal routes answer the suite's own services only")


def require(permission: Permission) -> Require:
    """`Depends(require(Permission.X))`: the caller holds the permission."""
    return Require(permission)


def require_service(*services: str) -> RequireService:
    """`Depends(require_service("inference-service"))`: the caller is one of these services."""
    return RequireService(*services)
