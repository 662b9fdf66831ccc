"""Limits on the routes that take a password, a key or a refresh token.

slowapi's decorators, and only those: its middleware breaks event streams, and its default limits do not reach
included routers. It logs a malformed limit instead of refusing it and can be switched off by a stray
environment variable, so both are checked here. Everything proxied is limited by `limits/`. Passwords are
tried within `limits/tries.py`.
"""

import functools
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from fastapi import Request
from limits import parse_many
from shared.clock import utc_now
from shared.errors import TooManyRequests
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded

from gateway_service.limits.tries import Tries, TryWindow

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


def client_address(request: Request) -> str:
    """The client's IP address; proxy/client.py has already applied a trusted proxy's forwarding headers."""
    return request.client.host if request.client else "unknown"


def windows_of(limit: str) -> tuple[TryWindow, ...]:
    """The windows of a limit such as "20/minute". Raises: ValueError."""
    return tuple(TryWindow(item.amount, float(item.get_expiry())) for item in parse_many(limit))


# It writes the key of each refusal, an address of somebody, into the log.
logging.getLogger("slowapi").setLevel(logging.ERROR)


class CredentialLimits:
    """Guards for credential routes. `guarded` lists them for the walk test."""

    def __init__(self) -> None:
        # slowapi's decorators are untyped; they enter here as what they are used for.
        self._limiter: Any = Limiter(
            key_func=client_address, storage_uri="memory://", strategy="moving-window", headers_enabled=False
        )
        self._limiter.enabled = True
        self.guarded: set[str] = set()

    def reset(self) -> None:
        """Forget every count."""
        self._limiter.reset()

    def tries(self, *endpoints: str, per_client: str, per_account: str) -> Tries:
        """The tries of these endpoints, which pass each of them through it. Raises: ValueError on a malformed
        limit.
        """
        self.guarded.update(endpoints)
        return Tries(per_client=windows_of(per_client), per_account=windows_of(per_account))

    def guard(self, per_address: str) -> Callable[[Endpoint], Endpoint]:
        """Decorates an async endpoint that has a `request` and a `response` parameter. Raises: ValueError on
        a malformed limit.
        """
        parse_many(per_address)

        def decorate(endpoint: Endpoint) -> Endpoint:
            limited: Callable[..., Awaitable[Any]] = self._limiter.limit(per_address)(endpoint)

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
        return TooManyRequests(
            f"too many attempts; try again in {wait_s} s", retry_after_s=wait_s, code="too_many_attempts"
        )
