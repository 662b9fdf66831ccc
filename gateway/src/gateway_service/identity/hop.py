"""The token a service sees instead of the caller's own credential."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from shared.auth.principal import Principal
from shared.auth.tokens import USER_TOKEN_TTL_S, UserTokens
from shared.clock import monotonic_s

_REUSE_MIN_S = 120.0
_CACHED_MAX = 20_000


@dataclass(frozen=True, slots=True)
class HopToken:
    """A whole Authorization value and the seconds it stays valid, seen from when it was asked for."""

    authorization: bytes
    valid_s: float


class HopTokens:
    """Mints tokens with gw=true, one per principal while it has at least two minutes left: services remember
    what they verified.
    """

    def __init__(self, tokens: UserTokens) -> None:
        self._tokens = tokens
        self._cached: OrderedDict[Principal, tuple[float, bytes]] = OrderedDict()

    def token_for(self, principal: Principal) -> HopToken:
        now_s = monotonic_s()
        found = self._cached.get(principal)
        if found is None or found[0] - now_s < _REUSE_MIN_S:
            signed = self._tokens.sign(replace(principal, via_gateway=True), ttl_s=USER_TOKEN_TTL_S)
            found = (now_s + USER_TOKEN_TTL_S, b"Bearer " + signed.encode("ascii"))
            self._cached[principal] = found
            self._cached.move_to_end(principal)
            if len(self._cached) > _CACHED_MAX:
                self._cached.popitem(last=False)
        return HopToken(found[1], found[0] - now_s)
