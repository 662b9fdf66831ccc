"""What the proxy needs from identity and limits, so that neither imports the proxy's inside."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.auth.principal import Principal


class RouteClass(StrEnum):
    """Routes that share one quota: a burst of completions never locks a person out of their chat list."""

    REST = "rest"
    MODELS = "models"


@dataclass(frozen=True, slots=True)
class Quota:
    """One bucket an identity draws from, e.g. key "user:<uuid>". `per_minute` also bounds the burst."""

    key: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, the credential the services see instead of the caller's own, and the quotas that apply.

    `hop_authorization` is a whole header value, b"Bearer <user token with gw=true>". The authenticator keeps it
    valid for at least 30 s from the moment it hands the identity out.
    """

    principal: Principal
    hop_authorization: bytes
    quotas: tuple[Quota, ...]


class Authenticator(Protocol):
    """Turns a user token or an `atr-` key into an identity. Identity's service implements it."""

    def remembered(self, credential: bytes) -> Identity | None:
        """The identity of a credential seen before and still good; None sends the caller to authenticate().

        On the path of every request: no I/O, no await, no signature check.
        """
        ...

    async def authenticate(self, credential: bytes) -> Identity:
        """Verifies the credential (without the "Bearer " prefix).

        Raises:
            shared.errors.Unauthenticated: unknown, expired, revoked, or minted for a hop.
            shared.errors.Forbidden: known, and suspended or pending.
        """
        ...


@dataclass(slots=True)
class Decision:
    """`headers` are the X-RateLimit-* fields of the tightest quota, for refused and allowed requests alike."""

    allowed: bool
    headers: tuple[tuple[bytes, bytes], ...]
    retry_after_s: int


class Limiter(Protocol):
    """Request quotas. A refused request costs nothing."""

    def check(self, identity: Identity, route_class: RouteClass) -> Decision:
        """Takes one request from each quota of the identity, or from none of them."""
        ...

    def refund(self, identity: Identity, route_class: RouteClass) -> None:
        """Gives back what check() took, when the request reached no service."""
        ...

    def forgive(self, identity: Identity, route_class: RouteClass) -> None:
        """As refund(), a few times a minute at most: the service refused for lack of money or quota, which cost it work."""
        ...

    def count_failure(self, address: str) -> Decision:
        """Records a credential that was refused, and whether its address may be told so once more. Good ones are never asked."""
        ...
