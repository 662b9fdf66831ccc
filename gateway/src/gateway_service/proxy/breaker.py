"""Stops calling a service that does not answer, and finds out by itself when it is back."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from shared.http import Timeouts, UpstreamError, UpstreamPool

log = logging.getLogger(__name__)

PROBE_INTERVAL_S = 0.25
_PROBE = Timeouts(connect_s=1.0, first_byte_s=2.0, idle_s=1.0, write_s=1.0)
_READY = 200


class CircuitBreaker:
    """One per upstream. Closed until `failures_max` failures in a row; then open until a probe or a trial
    finds it well.

    A request may try every `open_s` seconds even so: a service can work although it does not call itself
    ready.
    """

    def __init__(
        self,
        *,
        failures_max: int,
        open_s: float,
        clock: Callable[[], float] = time.monotonic,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._clock = clock
        self._on_open = on_open
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._failures_max

    def wait_s(self) -> float:
        """0 when a request may go out, else the seconds until one may. Letting one pass while open reserves
        the trial.
        """
        if self._failures < self._failures_max:
            return 0.0
        now = self._clock()
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + self._open_s
        return 0.0

    def succeeded(self) -> None:
        """The service answered, whatever the status."""
        self._failures = 0

    def failed(self) -> None:
        """The service could not be reached, hung up without an answer, or gave none in time."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._open_until = self._clock() + self._open_s
            self._on_open()


class Breakers:
    """The breakers of all origins, and the probes that close them: four a second to each origin that is open,
    none otherwise.
    """

    def __init__(
        self, origins: Iterable[str], pool: UpstreamPool, *, failures_max: int, open_s: float
    ) -> None:
        self._pool = pool
        self._opened = asyncio.Event()
        self._by_origin = {
            origin: CircuitBreaker(failures_max=failures_max, open_s=open_s, on_open=self._opened.set)
            for origin in set(origins)
        }

    def of(self, origin: str) -> CircuitBreaker:
        return self._by_origin[origin]

    async def probe(self) -> None:
        """Waits until a breaker is open, then asks those services once whether they are ready. To be called
        again and again.
        """
        await self._opened.wait()
        await asyncio.sleep(PROBE_INTERVAL_S)
        await asyncio.gather(
            *(self._ask(origin, breaker) for origin, breaker in self._by_origin.items() if breaker.is_open)
        )
        if not any(breaker.is_open for breaker in self._by_origin.values()):
            self._opened.clear()

    async def _ask(self, origin: str, breaker: CircuitBreaker) -> None:
        try:
            async with self._pool.request("GET", origin, b"/readyz", [], timeouts=_PROBE) as response:
                ready = response.status == _READY
                await response.read(64 * 1024)
        except UpstreamError:
            return
        if ready:
            log.info("a service is ready again", extra={"origin": origin})
            breaker.succeeded()
