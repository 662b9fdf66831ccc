"""The runs of this process while they are under way, and who waits for their events."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from shared.access import EndReason
from shared.auth.principal import Principal
from shared.replies.stopping import WorkEndedError, WorkScope
from shared.wakeups import Wakeups

from agent_service.events.writer import EventWriter, RunLostError
from agent_service.records.spec import RunSpec

T = TypeVar("T")


class LiveRun:
    """One run under way in this process."""

    def __init__(
        self,
        *,
        run_id: UUID,
        agent_name: str,
        model: str,
        principal: Principal,
        spec: RunSpec,
        writer: EventWriter,
    ) -> None:
        self.run_id = run_id
        self.agent_name = agent_name
        self.model = model
        self.principal = principal
        self.spec = spec
        self.writer = writer
        self._scope = WorkScope()

    def stop(self, access: EndReason | None = None) -> None:
        """End what is under way at its next await. `access`: the person or key may no longer run anything,
        and why.
        """
        if access is None:
            self._scope.end("stopped")
        else:
            self._scope.end_access(access)

    def release(self) -> None:
        """Leave what is under way as it is: this process ends, and the next one begins the step again."""
        self._scope.end("released")

    async def within(self, work: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
        """What `work` gives, unless the run is stopped or `timeout_s` pass.

        Raises:
            WorkEndedError: it was ended.
            RunLostError: it is another process's.
        """
        try:
            return await self._scope.run(work, timeout_s=timeout_s)
        except WorkEndedError as ended:
            if ended.cause == "released":
                raise RunLostError from None
            raise


class LiveRuns:
    """All of them by run id, and the followers of any run in this process."""

    def __init__(self) -> None:
        self.runs: dict[UUID, LiveRun] = {}
        self.wakeups = Wakeups()

    def __len__(self) -> int:
        return len(self.runs)

    def stop(self, run_id: UUID, access: EndReason | None = None) -> None:
        """Stop the run if it is this process's; `access` as LiveRun.stop."""
        if (live := self.runs.get(run_id)) is not None:
            live.stop(access)
