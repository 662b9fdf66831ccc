"""The breakers of the services, and the probes that find out when one is back."""

import asyncio
import logging
from collections.abc import Iterable

from shared.breaker import CircuitBreaker
from shared.http import Timeouts, UpstreamError, UpstreamPool

log = logging.getLogger(__name__)

PROBE_INTERVAL_S = 0.25
_PROBE = Timeouts(connect_s=1.0, first_byte_s=2.0, idle_s=1.0, write_s=1.0)
_READY = 200


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
