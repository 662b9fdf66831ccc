"""Limits on the routes that take a password, a key or a refresh token.

slowapi's decorators, and only those: its middleware breaks event streams, and its default limits do not reach
included routers. It logs a malformed limit instead of refusing it and can be switched off by a stray
environment variable, so both are checked here. Everything proxied is limited by `limits/`. Passwords are
tried within `limits/tries.py`. Several processes count in Redis by scripts of our own: slowapi would stop the
event loop while it waits, and trusts the clock of each process.
"""

import functools
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

from fastapi import Request
from limits import RateLimitItem, parse_many
from shared.adapters.redis import RedisAway
from shared.clock import utc_now
from shared.errors import TooManyRequests
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded

from gateway_service.connections.limits import site_of
from gateway_service.limits.ports import share
from gateway_service.limits.replicas import Replicas
from gateway_service.limits.shared_tries import SharedCalls, SharedTries
from gateway_service.limits.tries import Tries, TryWindow, refuse_for

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


def client_address(request: Request) -> str:
    """The client's IP address; proxy/client.py has already applied a trusted proxy's forwarding headers."""
    return request.client.host if request.client else "unknown"


def client_site(request: Request) -> str:
    """Who calls a guarded route: see site_of()."""
    return site_of(client_address(request))


def windows_of(limit: str) -> tuple[TryWindow, ...]:
    """The windows of a limit such as "20/minute". Raises: ValueError."""
    return tuple(TryWindow(item.amount, float(item.get_expiry())) for item in parse_many(limit))


# It writes the key of each refusal, an address of somebody, into the log.
logging.getLogger("slowapi").setLevel(logging.ERROR)


class CredentialTries(Protocol):
    """Tries of passwords, of this process or of all."""

    def one(
        self, address: str, account: str, *, device: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """See Tries.one."""
        ...


class _OwnTries:
    """Those of a gateway that runs as one process."""

    def __init__(self, tries: Tries) -> None:
        self._tries = tries

    @asynccontextmanager
    async def one(self, address: str, account: str, *, device: str | None = None) -> AsyncGenerator[None]:
        with self._tries.one(address, account, device=device):
            yield


class CredentialLimits:
    """Guards for credential routes. `guarded` lists them for the walk test. With `replicas` all processes
    count together.
    """

    def __init__(self, replicas: Replicas | None = None) -> None:
        self._replicas = replicas
        # slowapi's decorators are untyped; they enter here as what they are used for.
        self._limiter: Any = Limiter(
            key_func=client_site, storage_uri="memory://", strategy="moving-window", headers_enabled=False
        )
        self._limiter.enabled = True
        self.guarded: set[str] = set()

    def tries(self, *endpoints: str, per_client: str, per_account: str) -> CredentialTries:
        """The tries of these endpoints, which pass each of them through it. Raises: ValueError on a malformed
        limit.
        """
        self.guarded.update(endpoints)
        clients, accounts = windows_of(per_client), windows_of(per_account)
        if self._replicas is None:
            return _OwnTries(Tries(per_client=clients, per_account=accounts))
        return SharedTries(per_client=clients, per_account=accounts, replicas=self._replicas)

    def guard(self, per_address: str) -> Callable[[Endpoint], Endpoint]:
        """Decorates an async endpoint that has a `request` and a `response` parameter. Raises: ValueError on
        a malformed limit.
        """
        windows = windows_of(per_address)

        def decorate(endpoint: Endpoint) -> Endpoint:
            self.guarded.add(endpoint.__name__)
            replicas = self._replicas
            if replicas is None:
                return self._guarded_here(endpoint, per_address)
            calls = SharedCalls(endpoint.__name__, windows, replicas)

            @functools.wraps(endpoint)
            async def answer(*args: Any, **kwargs: Any) -> Any:
                site = client_site(cast("Request", kwargs["request"]))
                try:
                    refuse_for(await calls.take(site))
                except RedisAway:
                    self._take_here(per_address, endpoint.__name__, site, processes=replicas.count)
                return await endpoint(*args, **kwargs)

            return cast("Endpoint", answer)

        return decorate

    def _guarded_here(self, endpoint: Endpoint, per_address: str) -> Endpoint:
        limited: Callable[..., Awaitable[Any]] = self._limiter.limit(per_address)(endpoint)

        @functools.wraps(limited)
        async def answer(*args: Any, **kwargs: Any) -> Any:
            try:
                return await limited(*args, **kwargs)
            except RateLimitExceeded:
                request = cast("Request", kwargs["request"])
                raise self._refusal(*request.state.view_rate_limit) from None

        return cast("Endpoint", answer)

    def _take_here(self, per_address: str, route: str, site: str, *, processes: int) -> None:
        """Counts one call within this process's share. Raises: TooManyRequests."""
        for item in parse_many(per_address):
            own = type(item)(share(item.amount, processes), item.multiples)
            if not self._limiter.limiter.hit(own, route, site):
                raise self._refusal(own, (route, site))

    def _refusal(self, limit: RateLimitItem, names: Sequence[str]) -> TooManyRequests:
        resets_at, _remaining = self._limiter.limiter.get_window_stats(limit, *names)
        wait_s = max(1, math.ceil(resets_at - utc_now().timestamp()))
        return TooManyRequests(
            f"too many attempts; try again in {wait_s} s", retry_after_s=wait_s, code="too_many_attempts"
        )
