"""The runs of this process while they are under way, and who waits for their events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar
from uuid import UUID

from shared.auth.principal import Principal
from shared.wakeups import Wakeups

from agent_service.runs.spec import RunSpec
from agent_service.runs.writer import EventWriter, RunLostError

T = TypeVar("T")


class RunCutError(Exception):
    """A step was ended from outside: by a stop, or because the run took too long.

    `access`: the stop came because the person or key may no longer run anything, and why (a shared.access.EndReason).
    """

    def __init__(self, reason: Literal["stopped", "too_long"], access: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.access = access


class LiveRun:
    """One run under way in this process."""

    def __init__(self, *, run_id: UUID, agent_name: str, model: str, principal: Principal, spec: RunSpec, writer: EventWriter) -> None:
        self.run_id = run_id
        self.agent_name = agent_name
        self.model = model
        self.principal = principal
        self.spec = spec
        self.writer = writer
        self.stopped = False
        self.end_reason: str | None = None
        self._abandoned = False
        self._scope: asyncio.Timeout | None = None

    def stop(self, end_reason: str | None = None) -> None:
        """End what is under way at its next await. `end_reason`: as RunCutError.access."""
        self.stopped = True
        self.end_reason = self.end_reason or end_reason
        self._end_scope()

    def abandon(self) -> None:
        """Leave what is under way as it is: this process ends, and the next one begins the step again."""
        self._abandoned = True
        self._end_scope()

    def _end_scope(self) -> None:
        # A stop may come twice, and a scope that expires takes no new time.
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def within(self, work: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
        """What `work` gives, unless the run is stopped or `timeout_s` pass.

        Raises:
            RunCutError: it was ended.
            RunLostError: the process ends.
        """
        if self._abandoned:
            raise RunLostError
        if self.stopped:
            raise RunCutError("stopped", self.end_reason)
        scope = asyncio.timeout(timeout_s)
        try:
            async with scope:
                self._scope = scope
                return await work()
        except TimeoutError:
            if not scope.expired():
                raise
            if self._abandoned:
                raise RunLostError from None
            raise (RunCutError("stopped", self.end_reason) if self.stopped else RunCutError("too_long")) from None
        finally:
            self._scope = None


class LiveRuns:
    """All of them by run id, and the followers of any run in this process."""

    def __init__(self) -> None:
        self.runs: dict[UUID, LiveRun] = {}
        self.wakeups = Wakeups()

    def __len__(self) -> int:
        return len(self.runs)

    def stop(self, run_id: UUID, end_reason: str | None = None) -> None:
        """Stop the run if it is this process's."""
        if (live := self.runs.get(run_id)) is not None:
            live.stop(end_reason)
