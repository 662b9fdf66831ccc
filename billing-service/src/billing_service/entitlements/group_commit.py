"""Group commit: calls of one organisation queue for the same wallet row, so those that wait share a
transaction and its flush.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg
from shared.background import TaskTracker
from shared.errors import AppError, Unavailable

BATCH_MAX = 64
_QUEUE_MAX = 2_000

Key = tuple[UUID, Hashable]
C = TypeVar("C")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Waiting(Generic[C, R]):
    """A call in the queue; `answer` is set once its transaction has ended."""

    call: C
    answer: "asyncio.Future[R]"
    abandoned: bool = False


class GroupCommit(Generic[C, R]):
    """One batch of a key is in flight at a time; what arrives meanwhile makes up the next one. A lone call
    runs at once.

    A key is the organisation and what else a batch must have in common. A batch that waits here grows, one
    that waits in the database for the organisation's wallet does not.

    `run` answers a batch in its order, in one transaction that is committed when it returns.
    """

    def __init__(self, run: Callable[[list[C]], Awaitable[list[R]]]) -> None:
        self._run = run
        self._queues: dict[Key, deque[Waiting[C, R]]] = {}
        self._tasks = TaskTracker()

    def submit(self, key: Key, call: C) -> "Waiting[C, R]":
        """Queue a call. Raises: Unavailable when too many wait already."""
        waiting = Waiting[C, R](call, asyncio.get_running_loop().create_future())
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((waiting,))
            self._tasks.spawn(self._work(key), "group commit")
        elif len(queue) < _QUEUE_MAX:
            queue.append(waiting)
        else:
            raise Unavailable(
                "billing is too busy to decide; nothing was charged, try again", retry_after_s=1
            )
        return waiting

    async def result(self, waiting: "Waiting[C, R]") -> R:
        """The call's answer, or what it raised. Cancelled: a call that still waits is dropped, one in flight
        continues.
        """
        try:
            return await asyncio.shield(waiting.answer)
        except asyncio.CancelledError:
            waiting.abandoned = True
            raise

    async def _work(self, key: Key) -> None:
        queue = self._queues[key]
        try:
            while queue:
                await self._batch([queue.popleft() for _ in range(min(BATCH_MAX, len(queue)))])
        finally:
            del self._queues[key]
            _close(queue)  # empty, unless this task was ended

    async def _batch(self, taken: "list[Waiting[C, R]]") -> None:
        wanted = [waiting for waiting in taken if not waiting.abandoned]
        try:
            if wanted:
                await self._answer(wanted)
        finally:
            _close(taken)

    async def _answer(self, wanted: "list[Waiting[C, R]]") -> None:
        try:
            results = await self._run([waiting.call for waiting in wanted])
        except asyncpg.PostgresError as error:
            if len(wanted) == 1:
                _fail(wanted[0], error)
                return
            # The transaction is undone whole: each on its own, so that what one raises is its own affair.
            for waiting in wanted:
                await self._answer([waiting])
        except AppError as error:
            for waiting in wanted:
                _fail(waiting, error)
        else:
            for waiting, result in zip(wanted, results, strict=True):
                waiting.answer.set_result(result)


def _fail(waiting: "Waiting[C, R]", error: Exception) -> None:
    waiting.answer.set_exception(error)
    if waiting.abandoned:
        waiting.answer.exception()  # seen: nobody else will ask


def _close(waiting_calls: "Iterable[Waiting[C, R]]") -> None:
    """Nobody waits for ever, whatever ended the batch."""
    for waiting in waiting_calls:
        if waiting.abandoned:
            waiting.answer.cancel()
        elif not waiting.answer.done():
            waiting.answer.set_exception(Unavailable("billing could not decide; ask again", retry_after_s=1))
