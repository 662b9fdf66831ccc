"""Tracked detached tasks and periodic work: the one home of asyncio.create_task."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from shared.outages import is_outage

log = logging.getLogger(__name__)

T = TypeVar("T")


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background task %s failed", task.get_name(), exc_info=error)


class TaskTracker:
    """Owns tasks that must outlive the request that started them, and waits for them at shutdown."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._claimed: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, T], name: str, *, claimed: bool = False) -> asyncio.Task[T]:
        """Start `work` detached. Its failure is logged under `name`; when it is `claimed`, it reaches those
        who await the task instead.
        """
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if claimed:
            self._claimed.add(task)
        task.add_done_callback(self._done)
        return task

    async def complete(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """The result of `work`, which runs to its end even when the caller is cancelled; then its failure is
        logged.
        """
        task = self.spawn(work, name, claimed=True)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task in self._claimed:
                self._claimed.discard(task)
            else:
                _log_failure(task)  # it ended in the same moment, while it was still the caller's to hear
            raise

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        claimed = task in self._claimed
        self._claimed.discard(task)
        if not claimed:
            _log_failure(task)

    async def drain(self, timeout_s: float) -> int:
        """Wait up to `timeout_s` for all tasks, then cancel the rest. Returns how many had to be
        cancelled.
        """
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=5)
        return len(late)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T], name: str) -> AsyncGenerator[asyncio.Task[T]]:
    """`work` runs while the block does, which awaits the task when it needs the result; at the block's end it
    is cancelled.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


class Periodic:
    """Calls `work` after `first_after_s`, then every `interval_s` until closed. A failure is logged; the next
    turn tries again.
    """

    def __init__(
        self, name: str, interval_s: float, work: Callable[[], Awaitable[Any]], *, first_after_s: float = 0
    ) -> None:
        self._name = name
        self._interval_s = interval_s
        self._work = work
        self._first_after_s = first_after_s
        self._task: asyncio.Task[None] | None = None
        self._outage_logged = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def _run(self) -> None:
        if self._first_after_s:
            await asyncio.sleep(self._first_after_s)
        while True:
            try:
                await self._work()
                self._outage_logged = False
            except Exception as error:
                # A process edge: the job must outlive one bad turn.
                if is_outage(error):
                    self._note_outage(error)
                else:
                    log.exception(
                        "periodic job %s failed; it runs again in %s s", self._name, self._interval_s
                    )
            await asyncio.sleep(self._interval_s)

    def _note_outage(self, error: Exception) -> None:
        # Once per outage: jobs that look every second would fill the log with what one line says.
        if not self._outage_logged:
            log.warning(
                "periodic job %s cannot reach what it needs; it tries again",
                self._name,
                extra={"reason": type(error).__name__},
            )
        self._outage_logged = True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=5)
