"""Under which ids billing knows running turns: stored beside the streams, those of one moment together."""

import asyncio
from uuid import UUID

from shared.background import TaskTracker
from shared.db import Database
from shared.outages import is_outage

from chat_service.writing import repository

_GATHER_S = 0.01
"""Short, as a turn whose process dies before its note is stored has a cost that nobody finds."""
_AGAIN_S = 0.5


class DispatchNotes:
    """One a process."""

    def __init__(self, database: Database, tasks: TaskTracker) -> None:
        self._database = database
        self._tasks = tasks
        self._noted: dict[UUID, str] = {}

    def note(self, turn_id: UUID, dispatch_id: str) -> None:
        """Store it in a moment. The first token does not wait for the database."""
        if not self._noted:
            self._tasks.spawn(self._store(), name="dispatch notes")
        self._noted[turn_id] = dispatch_id

    async def _store(self) -> None:
        pause_s = _GATHER_S
        while True:
            await asyncio.sleep(pause_s)
            noted, self._noted = self._noted, {}
            if not noted:
                return
            try:
                async with self._database.transaction() as session:
                    await repository.note_dispatches(session, noted)
                return
            except Exception as error:
                if not is_outage(error):
                    raise
            self._noted = {**noted, **self._noted}
            pause_s = _AGAIN_S
