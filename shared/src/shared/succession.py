"""What only one process of a service may own: opened when the former process has let go of it, and let go of
at the signal.

Everything else of two processes overlaps: the next one answers before it owns anything, the old one ends its
answers after it owns nothing any more. Without a supervisor that says otherwise, a process owns from its
start to its end.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from shared.background import beside
from shared.errors import Unavailable

_USES_MAX_S = 3.0
_WAIT_MAX_S = 8.0

log = logging.getLogger(__name__)

Take = Callable[[AsyncExitStack], Awaitable[None]]
"""Opens what is owned and puts onto the stack what lets go of it."""


class HandedOver(Unavailable):
    """This process is between two: it does not own yet, or no longer, what the request needs."""

    code = "handed_over"

    def __init__(self) -> None:
        super().__init__("this service is being replaced; try again in a moment", retry_after_s=1)


class Succession:
    """A process between its former and its next one."""

    def __init__(self) -> None:
        self._turn: asyncio.Event | None = None  # None: there is no former process
        self._opened = asyncio.Event()
        self._owned = AsyncExitStack()
        self._releasing = asyncio.Lock()
        self._released = False
        self._uses_max_s = _USES_MAX_S
        self._uses = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self.when_failed: Callable[[], None] = _nothing
        """Called when the former process has let go and what it owned cannot be opened: this process is of no
        use then.
        """

    def follow(self) -> None:
        """Before the start: a former process still owns what is to be owned here."""
        self._turn = asyncio.Event()

    def take_turn(self) -> None:
        """The former process has let go."""
        if self._turn is not None:
            self._turn.set()

    @property
    def waits(self) -> bool:
        """Whether this process owns nothing yet."""
        return self._turn is not None and not self._opened.is_set()

    @asynccontextmanager
    async def owning(self, take: Take, *, uses_max_s: float = _USES_MAX_S) -> AsyncGenerator[None]:
        """For the lifespan: take at once, or in the background when it is our turn; let go at the end of the
        block, if not before.

        `uses_max_s`: how long those get who use what is owned when it is to be let go of.
        """
        self._uses_max_s = uses_max_s
        if self._turn is None:
            await self._open(take)
        try:
            if self._turn is None:
                yield
            else:
                async with beside(self._open_at_turn(self._turn, take), "succession"):
                    yield
        finally:
            await self.release()

    @asynccontextmanager
    async def using(self) -> AsyncGenerator[None]:
        """What is owned is here and stays while the block runs. Raises: HandedOver when it is not here soon,
        or no longer.
        """
        try:
            async with asyncio.timeout(_WAIT_MAX_S):
                await self._opened.wait()
        except TimeoutError:
            raise HandedOver from None
        if self._released:
            raise HandedOver
        self._uses += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._uses -= 1
            if not self._uses:
                self._unused.set()

    async def release(self) -> None:
        """Let go once those that use it have ended, or had long enough. To be told again changes nothing."""
        async with self._releasing:
            if self._opened.is_set() and not self._released:
                try:
                    async with asyncio.timeout(self._uses_max_s):
                        await self._unused.wait()
                except TimeoutError:
                    log.warning("what this process owns is let go of under %d requests", self._uses)
            self._released = True
            await self._owned.aclose()

    async def _open(self, take: Take) -> None:
        try:
            await take(self._owned)
        except BaseException:
            await self._owned.aclose()
            raise
        self._opened.set()

    async def _open_at_turn(self, turn: asyncio.Event, take: Take) -> None:
        await turn.wait()
        try:
            await self._open(take)
        except Exception:
            log.exception("what the former process owned cannot be opened")
            self.when_failed()


def _nothing() -> None:
    """Until somebody wants to know."""
