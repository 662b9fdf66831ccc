"""Files that wait get their ingestion, person by person, whatever ended between the commit of the row and the
start of the workflow.

The queue is the table of files itself: what waits there is durable, and whose turn it is gets decided as a
place becomes free.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from shared.db import Database
from shared.fair_queue import RoundRobin
from shared.wakeups import set_within

from retrieval_service.files import repository
from retrieval_service.files.turns import SMALL_BYTES, Places, WaitingFile, next_file

Begin = Callable[[UUID, int], Awaitable[None]]
"""Starts the workflow of (file, attempt); doing it twice starts one."""
Running = Callable[[], frozenset[UUID]]
"""The files this process has begun, or continues, and that have not ended: one is among them as soon as its
`Begin` returns, if its workflow runs here.
"""

log = logging.getLogger(__name__)


class Enqueuer:
    """One per process. Several processes take turns at the rows, each for its own places."""

    def __init__(
        self, database: Database, begin: Begin, running: Running, *, concurrency: int, interval_s: float
    ) -> None:
        self._database = database
        self._begin = begin
        self._running = running
        self._interval_s = interval_s
        self._places = Places(concurrency)
        self._served = RoundRobin[UUID]()
        self._changed = asyncio.Event()

    def look_soon(self) -> None:
        """A file may wait (call it after the commit), or one has ended."""
        self._changed.set()

    async def run(self) -> None:
        """Once there may be something to begin, or after a while: begin as much as there are places for."""
        await set_within(self._changed, self._interval_s)
        self._changed.clear()
        await self.begin_waiting()

    async def begin_waiting(self) -> None:
        """Begin as much as there are places for."""
        while await self._begin_next():
            pass

    async def _begin_next(self) -> bool:
        """Whether there may be more to begin."""
        await self._follow(self._running())
        chosen = await self._choose() if self._places.free() or self._places.express_free() else None
        if chosen is None:
            return False
        file, express = chosen
        self._served.note(file.user_id)
        try:
            await self._begin_one(file, express=express)
        except Exception:
            # The edge of a job: one file must not keep the others waiting. Its owner is served last from now
            # on.
            log.exception(
                "an ingestion could not begin; it is tried again", extra={"file_id": str(file.file_id)}
            )
            return False
        return True

    async def _follow(self, running: frozenset[UUID]) -> None:
        """What runs here has a place, nothing else has."""
        self._places.leave_all_but(running)
        if continued := self._places.without_place(running):
            async with self._database.transaction() as session:
                owners = await repository.owners(session, file_ids=continued)
            for file_id in continued:
                self._places.adopt(file_id, owners.get(file_id))

    async def _choose(self) -> tuple[WaitingFile, bool] | None:
        async with self._database.transaction() as session:
            if not (first := await repository.waiting(session)):
                return None
            active, small = await repository.active_by_person(session), list[WaitingFile]()
            chosen = next_file(first, small, places=self._places, active=active, served=self._served.last)
            if chosen is None and self._places.express_free():
                small = await repository.waiting(session, bytes_max=SMALL_BYTES)
                # What has come meanwhile is for any place: it must not take that of the small ones first.
                first = await repository.waiting(session)
                chosen = next_file(first, small, places=self._places, active=active, served=self._served.last)
        return chosen

    async def _begin_one(self, file: WaitingFile, *, express: bool) -> None:
        """Begin and note it, in this order: a crash between the two begins it again, which changes
        nothing.
        """
        async with self._database.transaction() as session:
            # Locked against other processes; the engine's own tables are in the same database, so this ends
            # as soon as they answer.
            if not await repository.lock_waiting(session, file_id=file.file_id, attempt=file.attempt):
                return
            await self._begin(file.file_id, file.attempt)
            self._places.take(file, express=express)
            await repository.note_enqueued(session, file_id=file.file_id, attempt=file.attempt)
