"""Ends connections that wait for nothing, and keeps their number below what the process can hold."""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from gateway_service.connections.descriptors import current_limit
from gateway_service.connections.limits import ConnectionLimits, is_within, site_of

_TICK_S = 0.5
# Making room for one connection at a time would look through all of them for each that arrives.
_ROOM_SHARE = 16


class Guarded(Protocol):
    """A connection as the guard sees it. `deadline` and `writing_since` are times of the event loop."""

    deadline: float
    """When the client must have sent what is awaited of it; infinite while a request is being answered."""
    writing_since: float
    """Since when the client takes nothing of its answer; infinite while it does."""

    def expire(self) -> None:
        """The client missed its deadline."""
        ...

    def cut(self) -> None:
        """Closes at once."""
        ...


class ConnectionGuard:
    """One per process. `upstream_connections` counts those to services, which need a descriptor each too."""

    def __init__(
        self,
        limits: ConnectionLimits,
        upstream_connections: Callable[[], int],
        descriptors: Callable[[], int] = current_limit,
    ) -> None:
        self.limits = limits
        self._upstream_connections = upstream_connections
        self._descriptors = descriptors
        self._budget = 0
        self._connections: dict[Guarded, str | None] = {}
        self._per_site: dict[str, int] = {}
        self._ticker: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, connection: Guarded, address: str) -> bool:
        """Whether there is room. An admitted connection has to be given to `forget` when it has ended."""
        site = None if is_within(address, self.limits.unbounded) else site_of(address)
        if site is not None and self._per_site.get(site, 0) >= self.limits.per_address_max:
            return False
        if not self._has_room():
            return False
        self._connections[connection] = site
        if site is not None:
            self._per_site[site] = self._per_site.get(site, 0) + 1
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        return True

    def forget(self, connection: Guarded) -> None:
        """The connection has ended; a second time does nothing."""
        site = self._connections.pop(connection, None)
        if site is not None:
            left = self._per_site[site] - 1
            if left:
                self._per_site[site] = left
            else:
                del self._per_site[site]

    def _has_room(self) -> bool:
        """Makes room, when there is none, by ending those that have waited longest for their client."""
        if not self._budget:
            self._budget = max(1, self._descriptors() - self.limits.descriptors_reserve)
        open_ = len(self._connections) + self._upstream_connections()
        if open_ < self._budget:
            return True
        waiting = sorted(
            (each for each in self._connections if each.deadline < math.inf), key=lambda each: each.deadline
        )
        ended = waiting[: max(1, len(waiting) // _ROOM_SHARE)]
        for connection in ended:
            self.forget(connection)
            connection.cut()
        return open_ - len(ended) < self._budget

    def _tick(self) -> None:
        self._ticker = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        stalled = now - self.limits.write_s
        for connection in [
            each for each in self._connections if each.deadline < now or each.writing_since < stalled
        ]:
            if connection.deadline < now:
                connection.expire()
            else:
                connection.cut()
        if self._connections:
            self._ticker = loop.call_later(_TICK_S, self._tick)
