"""The tokens of people and of services: signing, and verifying without asking anybody."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.types import Options

from shared.auth.permissions import Permission
from shared.auth.principal import Principal, service_principal
from shared.clock import utc_now
from shared.errors import Unauthenticated

USER_AUDIENCE = "atrium"
USER_ISSUER = "atrium"
USER_KEY_ID = "user-1"
API_KEY_PREFIX = "atr-"
USER_TOKEN_TTL_S = 300
SERVICE_TOKEN_TTL_S = 60
_SERVICE_TOKEN_REUSE_S = 45
_TOKEN_BYTES_MAX = 8192
_REMEMBERED_MAX = 10_000
_LEEWAY_S = 5
_KEY_HINT = "services accept tokens only; swap the API key for one at POST /api/v1/auth/token of the gateway"
_REQUIRED_CLAIMS: Options = {"require": ["exp", "iat", "sub", "aud", "iss"]}


class TokenVerifier:
    """Verifies user and service tokens offline; remembers what it verified by the whole token until it
    expires.

    `callers` names the services whose tokens count here (none: user tokens only), and the most each may be
    permitted for a person it acts for.
    """

    def __init__(
        self,
        *,
        jwks: str,
        audience: str,
        callers: Mapping[str, frozenset[Permission]] | None = None,
        hs256_secret: str | None = None,
    ) -> None:
        self._callers = dict(callers or {})
        known = {USER_KEY_ID, *self._callers}
        self._keys = {
            key["kid"]: jwt.PyJWK(key).key for key in json.loads(jwks)["keys"] if key["kid"] in known
        }
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
            raise Unauthenticated(
                "the token is not valid or has expired; sign in again or refresh it", code="invalid_token"
            ) from None

    def _claims(self, token: str, kid: str | None) -> dict[str, Any]:
        key, algorithm = self._keys[str(kid)], "EdDSA"
        audience, issuer = (USER_AUDIENCE, USER_ISSUER) if kid == USER_KEY_ID else (self._audience, str(kid))
        if kid == USER_KEY_ID and self._hs256_secret is not None:
            key, algorithm = self._hs256_secret, "HS256"
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            options=_REQUIRED_CLAIMS,
            leeway=_LEEWAY_S,
        )

    def _principal(self, claims: dict[str, Any], kid: str | None) -> Principal:
        if kid == USER_KEY_ID:
            return Principal.from_claims(claims)
        act = cast("dict[str, Any] | None", claims.get("act"))
        if act is None:
            return service_principal(str(kid))
        acting = Principal.from_claims(act)
        # via_gateway: the limits were applied where the person's request came in.
        return replace(
            acting,
            permissions=acting.permissions & self._callers[str(kid)],
            service=str(kid),
            via_gateway=True,
        )


class UserTokens:
    """Signs user tokens; only the gateway holds this key."""

    def __init__(self, *, signing_key_pem: str, hs256_secret: str | None = None) -> None:
        self._key = _load_ed25519(signing_key_pem)
        self._hs256_secret = hs256_secret

    def sign(self, principal: Principal, *, ttl_s: int = USER_TOKEN_TTL_S) -> str:
        """A token of `principal`, valid for `ttl_s` seconds."""
        now = int(utc_now().timestamp())
        claims = {
            **principal.to_claims(),
            "iss": USER_ISSUER,
            "aud": USER_AUDIENCE,
            "iat": now,
            "exp": now + ttl_s,
        }
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
    """The token of a request's headers. Raises: Unauthenticated when there is none, naming the way for an API
    key.
    """
    authorization = headers.get(b"authorization")
    if authorization is None and b"x-api-key" in headers:
        raise Unauthenticated(_KEY_HINT)
    return bearer_token(authorization.decode("latin-1") if authorization else None)
