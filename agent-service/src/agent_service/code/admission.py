"""Who runs next: a few slots, a short queue, and no person in the way of all others."""

import asyncio
from collections import Counter
from uuid import UUID

from shared.errors import TooManyRequests

_RETRY_AFTER_S = 5


class _Waiting:
    __slots__ = ("slot", "user_id")

    def __init__(self, user_id: UUID) -> None:
        self.user_id = user_id
        self.slot: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Admission:
    """Slots 0 to `slots` - 1. One person uses all but one of them at most; whoever waited longest and may run
    comes next.
    """

    def __init__(self, *, slots: int, waiting_max: int, waiting_per_user_max: int, wait_max_s: float) -> None:
        self._free = list(range(slots))
        self._per_user_max = max(1, slots - 1)
        self._waiting_max = waiting_max
        self._waiting_per_user_max = waiting_per_user_max
        self._wait_max_s = wait_max_s
        self._running: Counter[UUID] = Counter()
        self._waiting: list[_Waiting] = []

    @property
    def running(self) -> int:
        return self._running.total()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self, user_id: UUID) -> int:
        """A slot, which the caller gives back with `leave`. Raises: TooManyRequests."""
        if self._free and self._may_run(user_id):
            return self._take(user_id)
        if len(self._waiting) >= self._waiting_max:
            raise TooManyRequests(
                "too many runs of code wait already; try again shortly", retry_after_s=_RETRY_AFTER_S
            )
        if sum(other.user_id == user_id for other in self._waiting) >= self._waiting_per_user_max:
            raise TooManyRequests(
                f"{self._waiting_per_user_max} of your runs of code wait already; let them end first",
                retry_after_s=_RETRY_AFTER_S,
            )
        return await self._wait(_Waiting(user_id))

    async def _wait(self, waiting: _Waiting) -> int:
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._wait_max_s):
                return await waiting.slot
        except BaseException as error:
            self._forget(waiting)
            if isinstance(error, TimeoutError):
                raise TooManyRequests(
                    "no place for this run became free in time; try again", retry_after_s=_RETRY_AFTER_S
                ) from None
            raise

    def _forget(self, waiting: _Waiting) -> None:
        """The caller gave up: out of the queue, or back with the slot it had just been given."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        elif waiting.slot.done() and not waiting.slot.cancelled():
            self.leave(waiting.slot.result(), waiting.user_id)

    def leave(self, slot: int, user_id: UUID) -> None:
        """Give `slot` back; the next in the queue gets it."""
        self._running[user_id] -= 1
        self._running = +self._running
        self._free.append(slot)
        for other in list(self._waiting):
            if not self._free:
                return
            if self._may_run(other.user_id) and not other.slot.done():
                self._waiting.remove(other)
                other.slot.set_result(self._take(other.user_id))

    def _may_run(self, user_id: UUID) -> bool:
        return self._running[user_id] < self._per_user_max

    def _take(self, user_id: UUID) -> int:
        self._running[user_id] += 1
        self._free.sort()
        return self._free.pop(0)
