"""Files that wait get their ingestion, whatever ended between the commit of the row and the start of the workflow."""

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from shared.background import TaskTracker
from shared.db import Database

from retrieval_service.files import repository

Begin = Callable[[UUID, int], Awaitable[None]]
"""Starts the workflow of (file, attempt); doing it twice starts one."""

_BATCH_MAX = 100

log = logging.getLogger(__name__)


class Enqueuer:
    """One a process: called after a commit, and periodically for what such a call missed."""

    def __init__(self, database: Database, begin: Begin, tasks: TaskTracker) -> None:
        self._database = database
        self._begin = begin
        self._tasks = tasks

    def enqueue_soon(self, file_id: UUID, attempt: int) -> None:
        """As `enqueue`, without waiting; call it after the commit."""
        self._tasks.spawn(self.enqueue(file_id, attempt), name=f"enqueue {file_id}")

    async def enqueue(self, file_id: UUID, attempt: int) -> None:
        """Begin and note it, in this order: a crash between the two begins it again, which changes nothing."""
        await self._begin(file_id, attempt)
        async with self._database.transaction() as session:
            await repository.note_enqueued(session, file_id=file_id, attempt=attempt)

    async def run(self) -> None:
        """Begin whatever waits."""
        async with self._database.transaction() as session:
            waiting = await repository.waiting(session, limit=_BATCH_MAX)
        for file_id, attempt in waiting:
            log.info("beginning an ingestion that nobody began", extra={"file_id": str(file_id), "attempt": attempt})
            try:
                await self.enqueue(file_id, attempt)
            except Exception:
                # The edge of a job: one file must not keep the others waiting.
                log.exception("an ingestion could not begin; it is tried again", extra={"file_id": str(file_id)})
