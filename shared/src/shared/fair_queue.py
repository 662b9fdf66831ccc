"""Turns at something scarce: one person's many requests wait for each other, not everybody for them.

Whoever has work takes a place, which is bounded, and asks for a turn for each small piece of it. Turns go
round by owner. Interactive work goes first, but never so many times in a row that the rest stands still.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Generator, Hashable
from contextlib import asynccontextmanager, contextmanager
from typing import Generic, Literal, TypeVar

Priority = Literal["interactive", "background"]
PRIORITY_HEADER = b"x-atrium-priority"
"""What the retrieval-service says about its calls to the built-in model; of others it is ignored."""

Owner = TypeVar("Owner", bound=Hashable)

_INTERACTIVE_IN_A_ROW_MAX = 8
_REMEMBERED_MAX = 10_000


class QueueFullError(Exception):
    """`own`: because of what this owner already has waiting, else because of everybody."""

    def __init__(self, *, own: bool) -> None:
        super().__init__("own" if own else "all")
        self.own = own


class FairQueue(Generic[Owner]):
    """`slots` turns at a time. One event loop; nothing here is durable."""

    def __init__(self, *, slots: int = 1, places_max: int, places_per_owner_max: int) -> None:
        self._free = slots
        self._places_max = places_max
        self._places_per_owner_max = places_per_owner_max
        self._places: dict[Owner, int] = {}
        self._waiting: dict[Priority, OrderedDict[Owner, deque[asyncio.Future[None]]]] = {
            "interactive": OrderedDict(),
            "background": OrderedDict(),
        }
        self._interactive_in_a_row = 0

    @contextmanager
    def place(self, owner: Owner) -> Generator[None]:
        """Held by one request for as long as it has turns to ask for. Raises: QueueFullError."""
        own = self._places.get(owner, 0)
        if own >= self._places_per_owner_max:
            raise QueueFullError(own=True)
        if sum(self._places.values()) >= self._places_max:
            raise QueueFullError(own=False)
        self._places[owner] = own + 1
        try:
            yield
        finally:
            if self._places[owner] == 1:
                del self._places[owner]
            else:
                self._places[owner] -= 1

    @property
    def idle(self) -> bool:
        """Whether nobody has a place."""
        return not self._places

    @asynccontextmanager
    async def turn(self, owner: Owner, priority: Priority) -> AsyncGenerator[None]:
        """Waits until it is this owner's turn; the block is the turn."""
        await self._acquire(owner, priority)
        try:
            yield
        finally:
            self._free += 1
            self._grant()

    async def _acquire(self, owner: Owner, priority: Priority) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[priority].setdefault(owner, deque()).append(granted)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._free += 1
                self._grant()
            raise

    def _grant(self) -> None:
        while self._free and (granted := self._next()) is not None:
            self._free -= 1
            granted.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        interactive, background = self._waiting["interactive"], self._waiting["background"]
        row_over = self._interactive_in_a_row >= _INTERACTIVE_IN_A_ROW_MAX
        first, second = (background, interactive) if row_over else (interactive, background)
        for waiting in (first, second):
            if (granted := _of_next_owner(waiting)) is not None:
                self._interactive_in_a_row = self._interactive_in_a_row + 1 if waiting is interactive else 0
                return granted
        return None


def _of_next_owner(waiting: OrderedDict[Owner, deque[asyncio.Future[None]]]) -> asyncio.Future[None] | None:
    """The first of the owner at the head, who then goes to the end."""
    while waiting:
        owner, own = waiting.popitem(last=False)
        while own:
            granted = own.popleft()
            if granted.cancelled():
                continue
            if own:
                waiting[owner] = own
            return granted
    return None


class RoundRobin(Generic[Owner]):
    """Who was served last: for queues that are kept elsewhere, as in a table."""

    def __init__(self) -> None:
        self._served: OrderedDict[Owner, int] = OrderedDict()
        self._count = 0

    def note(self, owner: Owner) -> None:
        """This owner was served now."""
        self._count += 1
        self._served[owner] = self._count
        self._served.move_to_end(owner)
        if len(self._served) > _REMEMBERED_MAX:
            self._served.popitem(last=False)

    def last(self, owner: Owner) -> int:
        """Larger is later; 0: not lately."""
        return self._served.get(owner, 0)
