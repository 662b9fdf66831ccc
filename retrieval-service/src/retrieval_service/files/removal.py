"""What deleted files left behind is removed, as often as it takes."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.clock import utc_now
from shared.db import Database

from retrieval_service.files import repository

_BATCH_MAX = 100
_STUCK_AFTER = timedelta(hours=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeletedFile:
    """What its parts are found by."""

    id: UUID
    collection: str
    s3_key: str


Removal = Callable[[DeletedFile], Awaitable[None]]
"""Removes one kind of part of a file; removing what is gone is no error."""


class Remover:
    """One per process. The tombstone goes last, so a crash leaves nothing that is not tried again."""

    def __init__(self, database: Database, removals: Sequence[Removal]) -> None:
        self._database = database
        self._removals = tuple(removals)

    async def run(self) -> None:
        """Finish tombstones whose ingestion has stopped, or never said that it did."""
        async with self._database.transaction() as session:
            rows = await repository.tombstones(
                session, stuck_before=utc_now() - _STUCK_AFTER, limit=_BATCH_MAX
            )
        for file_id, collection, s3_key in rows:
            try:
                await self._remove(DeletedFile(file_id, collection, s3_key))
            except Exception:
                # The edge of a job: one file must not keep the others' remains.
                log.exception(
                    "a deleted file could not be removed yet; it is tried again",
                    extra={"file_id": str(file_id)},
                )

    async def _remove(self, file: DeletedFile) -> None:
        for removal in self._removals:
            await removal(file)
        async with self._database.transaction() as session:
            await repository.remove(session, file_id=file.id)
