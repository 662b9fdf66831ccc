"""Calls that leave together: those that come while one is on its way wait for it, a little, and make up the
next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from shared.background import TaskTracker

_WAIT_S_MAX = 0.02


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
    `entries_max` or `bytes_max`, or for 20 ms: a batch that hangs holds no later one back.
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
            # Not before the others of this turn of the loop have come.
            self._leaving = (
                loop.call_later(_WAIT_S_MAX, self._leave)
                if self._on_their_way
                else loop.call_soon(self._leave)
            )

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
            self._leave()
