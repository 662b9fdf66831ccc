"""Limits on the routes that take a password, a key or a refresh token.

slowapi's decorators, and only those: its middleware breaks event streams, and its default limits do not reach included
routers. It logs a malformed limit instead of refusing it and can be switched off by a stray environment variable, so
both are checked here. Everything proxied is limited by `limits/`.
"""

import functools
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from fastapi import Request
from limits import parse_many
from shared.clock import utc_now
from shared.errors import TooManyRequests
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


def client_address(request: Request) -> str:
    """The peer's IP address; uvicorn has already applied a trusted proxy's forwarding headers."""
    return request.client.host if request.client else "unknown"


def name_account(request: Request, account: str) -> None:
    """Tells the limits whose password or session this request tries; call it from a dependency, before the endpoint runs."""
    request.state.credential_account = account


def _named_account(request: Request) -> str:
    # A route limited by account without naming one is a programming error and must not pass unlimited.
    return cast("str", request.state.credential_account)


class CredentialLimits:
    """Guards for credential routes. `guarded` lists them for the walk test."""

    def __init__(self) -> None:
        # slowapi's decorators are untyped; they enter here as what they are used for.
        self._limiter: Any = Limiter(key_func=client_address, storage_uri="memory://", strategy="moving-window", headers_enabled=False)
        self._limiter.enabled = True
        self.guarded: set[str] = set()

    def reset(self) -> None:
        """Forget every count."""
        self._limiter.reset()

    def guard(self, per_address: str, *, per_account: str | None = None) -> Callable[[Endpoint], Endpoint]:
        """Decorates an async endpoint that has a `request` and a `response` parameter. Raises: ValueError on a malformed limit."""
        parse_many(per_address)
        parse_many(per_account or per_address)

        def decorate(endpoint: Endpoint) -> Endpoint:
            limited: Callable[..., Awaitable[Any]] = self._limiter.limit(per_address)(endpoint)
            if per_account is not None:
                limited = self._limiter.limit(per_account, key_func=_named_account)(limited)

            @functools.wraps(limited)
            async def answer(*args: Any, **kwargs: Any) -> Any:
                try:
                    return await limited(*args, **kwargs)
                except RateLimitExceeded:
                    raise self._refusal(cast("Request", kwargs["request"])) from None

            self.guarded.add(endpoint.__name__)
            return cast("Endpoint", answer)

        return decorate

    def _refusal(self, request: Request) -> TooManyRequests:
        limit, names = request.state.view_rate_limit
        resets_at, _remaining = self._limiter.limiter.get_window_stats(limit, *names)
        wait_s = max(1, math.ceil(resets_at - utc_now().timestamp()))
        return TooManyRequests(f"too many attempts; try again in {wait_s} s", retry_after_s=wait_s, code="too_many_attempts")
