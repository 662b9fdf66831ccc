"""One answer for many askers: public pages must not multiply calls to the services."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from shared.clock import monotonic_s

T = TypeVar("T")


class Remembered(Generic[T]):
    """Calls `work` at most once per `for_s`; who asks meanwhile waits for the same call."""

    def __init__(self, work: Callable[[], Awaitable[T]], *, for_s: float) -> None:
        self._work = work
        self._for_s = for_s
        self._lock = asyncio.Lock()
        self._found: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._found is None or self._found[0] <= monotonic_s():
                answer = await self._work()
                self._found = (monotonic_s() + self._for_s, answer)
            return self._found[1]
