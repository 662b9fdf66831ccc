"""Calls that leave together: those that come while one is on its way wait for it, a little, and make up the
next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from shared.background import TaskTracker

_WAIT_S_MAX = 0.02
_PAUSE_S = 0.006


class Entry(Protocol):
    """One call."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def done(self) -> bool:
        """It has its answer, or nobody waits for it any more."""
        ...


E = TypeVar("E", bound=Entry)


class Gathering(Generic[E]):
    """`send` answers each entry of a batch and never raises.

    A lone call leaves at once. While one is on its way others gather until it returns, until they are
    `entries_max` or `bytes_max`, or for 20 ms: a batch that hangs holds no later one back. After a batch of
    several has returned the next one waits 6 ms more: those who were answered come again soon, and two halves
    that take turns cost nearly twice what the whole does.
    """

    def __init__(
        self, send: Callable[[list[E]], Awaitable[None]], *, entries_max: int, bytes_max: int
    ) -> None:
        self._send = send
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._waiting: list[E] = []
        self._size_bytes = 0
        self._on_their_way = 0
        self._company_until_s = 0.0
        self._leave_by_s = 0.0
        self._leaving: asyncio.Handle | None = None
        self._tasks = TaskTracker()

    def add(self, entry: E) -> None:
        """Take it along with the next batch."""
        if self._waiting and self._size_bytes + entry.size_bytes > self._bytes_max:
            self._leave()
        self._waiting.append(entry)
        self._size_bytes += entry.size_bytes
        if len(self._waiting) >= self._entries_max:
            self._leave()
        elif self._leaving is None:
            loop = asyncio.get_running_loop()
            self._leave_by_s = loop.time() + _WAIT_S_MAX
            if self._on_their_way:
                self._leaving = loop.call_at(self._leave_by_s, self._leave)
            elif loop.time() < self._company_until_s:
                self._leaving = loop.call_later(_PAUSE_S, self._leave)
            else:
                # Not before the others of this turn of the loop have come.
                self._leaving = loop.call_soon(self._leave)

    def _leave(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        batch = [entry for entry in self._waiting if not entry.done]
        self._waiting, self._size_bytes = [], 0
        if batch:
            self._on_their_way += 1
            self._tasks.spawn(self._carry(batch), "batch of calls")

    async def _carry(self, batch: list[E]) -> None:
        try:
            await self._send(batch)
        finally:
            self._on_their_way -= 1
            self._returned(len(batch))

    def _returned(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        self._company_until_s = loop.time() + _WAIT_S_MAX if size > 1 else 0.0
        if self._leaving is None or size == 1:
            self._leave()
            return
        self._leaving.cancel()
        self._leaving = loop.call_at(min(self._leave_by_s, loop.time() + _PAUSE_S), self._leave)
