"""Telling those in this process who wait for something that it may have come."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID


class Wakeups:
    """By the id of what is watched."""

    def __init__(self) -> None:
        self._watchers: dict[UUID, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, object_id: UUID) -> Generator[asyncio.Event]:
        """An event that is set at each `wake` of the id."""
        changed = asyncio.Event()
        self._watchers.setdefault(object_id, set()).add(changed)
        try:
            yield changed
        finally:
            watchers = self._watchers[object_id]
            watchers.discard(changed)
            if not watchers:
                del self._watchers[object_id]

    def wake(self, object_id: UUID) -> None:
        for changed in self._watchers.get(object_id, ()):
            changed.set()

    def wake_all(self) -> None:
        for object_id in self._watchers:
            self.wake(object_id)


async def set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether `event` is set, now or within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
