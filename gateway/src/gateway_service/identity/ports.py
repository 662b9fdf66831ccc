"""Who calls, and what turns a credential into that."""

from dataclasses import dataclass
from typing import Protocol

from shared.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class Quota:
    """One bucket an identity draws from, e.g. key "user:<uuid>". `per_minute` also bounds the burst."""

    key: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, the credential the services see instead of the caller's own, and the quotas that apply.

    `hop_authorization` is a whole header value, b"Bearer <user token with gw=true>". The authenticator keeps
    it valid for at least 30 s from the moment it hands the identity out.
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
