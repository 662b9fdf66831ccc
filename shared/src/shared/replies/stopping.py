"""Work that can be ended from outside, at its next await: by a stop, a loss of access, a shutdown, another
owner or its time limit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from shared.access import EndReason

EndCause = Literal["stopped", "access_lost", "interrupted", "owner_lost", "released", "timed_out"]
"""`interrupted`: the process ends and with it the work; `released`: it ends, and another one continues;
`owner_lost`: another one does.
"""

T = TypeVar("T")


class WorkEndedError(Exception):
    """The work was ended. `access`: why its person or key may not continue, when that is the cause."""

    def __init__(self, cause: EndCause, access: EndReason | None = None) -> None:
        super().__init__(cause)
        self.cause: EndCause = cause
        self.access = access


class WorkScope:
    """Work under way. The first cause stays, but any goes before a stop that still has time, and a loss of
    access before any stop.

    `stop_wait_s`: so long a stopped work gets to end by itself.
    """

    def __init__(self, *, stop_wait_s: float = 0.0) -> None:
        self._stop_wait_s = stop_wait_s
        self._timeout: asyncio.Timeout | None = None
        self.cause: EndCause | None = None
        self.access: EndReason | None = None

    def end(self, cause: EndCause) -> None:
        """End the work for `cause`; a second stop takes no new time."""
        stop_has_time = self.cause == "stopped" and self._stop_wait_s > 0
        if stop_has_time and cause == "stopped":
            return
        if self.cause is None or stop_has_time:
            self.cause = cause
        self._expire()

    def end_access(self, reason: EndReason) -> None:
        """End the work because its person or key lost access; nothing is waited for."""
        if self.cause in {None, "stopped"}:
            self.cause, self.access = "access_lost", reason
        self._expire()

    async def run(self, work: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
        """What `work` gives. Raises: WorkEndedError when it was ended, or `timeout_s` passed."""
        if self.cause is not None and self._wait_s() <= 0:
            raise WorkEndedError(self.cause, self.access)
        timeout = asyncio.timeout(timeout_s)
        try:
            async with timeout:
                self._timeout = timeout
                self._expire()
                return await work()
        except TimeoutError:
            if not timeout.expired():
                raise
            raise WorkEndedError(self.cause or "timed_out", self.access) from None
        finally:
            self._timeout = None

    def _wait_s(self) -> float:
        return self._stop_wait_s if self.cause == "stopped" else 0.0

    def _expire(self) -> None:
        # A stop comes twice (from the request and by a signal), and a scope that expires takes no new time.
        if self.cause is not None and self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._wait_s())


def end_reason_of(text: str | None) -> EndReason | None:
    """The reason noted in a row; None when there is none, or a newer process knows what it means."""
    return EndReason(text) if text in set(EndReason) else None
