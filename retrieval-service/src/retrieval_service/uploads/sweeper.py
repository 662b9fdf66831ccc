"""What uploads leave behind: complete ones whose process died, abandoned ones, chunks that nobody counts."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.clock import utc_now
from shared.db import Database
from shared.errors import AppError

from retrieval_service.objects.port import UPLOADS_PREFIX, ObjectStore
from retrieval_service.uploads import repository
from retrieval_service.uploads.assembly import Assembler

_BATCH_MAX = 50
_STRAY_AFTER = timedelta(hours=1)
_STRAYS_AT_ONCE = 500

log = logging.getLogger(__name__)


class UploadSweeper:
    """One per process."""

    def __init__(self, database: Database, store: ObjectStore, assembler: Assembler) -> None:
        self._database = database
        self._store = store
        self._assembler = assembler

    async def finish_complete(self) -> None:
        """Make the files whose last chunk arrived just before a process ended."""
        async with self._database.transaction() as session:
            rows = await repository.complete(session, now=utc_now(), limit=_BATCH_MAX)
        for row in rows:
            if self._assembler.is_busy(row.id):
                continue
            try:
                await self._assembler.finish(row)
            except AppError as error:
                log.info(
                    "an upload did not become a file", extra={"upload_id": str(row.id), "code": error.code}
                )

    async def purge_expired(self) -> None:
        """Remove expired and deleted uploads, the row last."""
        async with self._database.transaction() as session:
            ids = await repository.expired(session, now=utc_now(), limit=_BATCH_MAX)
        for upload_id in ids:
            async for item in self._store.list(f"{UPLOADS_PREFIX}/{upload_id}"):
                await self._store.delete(item.key)
            async with self._database.transaction() as session:
                await repository.remove(session, id=upload_id)

    async def purge_strays(self) -> None:
        """Remove chunks that were on their way when their upload was removed."""
        before = utc_now() - _STRAY_AFTER
        batch: list[str] = []
        async for item in self._store.list(UPLOADS_PREFIX):
            if item.modified_at < before:
                batch.append(item.key)
            if len(batch) == _STRAYS_AT_ONCE:
                await self._remove_unknown(batch)
                batch.clear()
        await self._remove_unknown(batch)

    async def _remove_unknown(self, keys: Sequence[str]) -> None:
        uploads = {key: _upload_of(key) for key in keys}
        ids = {upload_id for upload_id in uploads.values() if upload_id is not None}
        known: set[UUID] = set()
        if ids:
            async with self._database.transaction() as session:
                known = await repository.known(session, ids=list(ids))
        for key, upload_id in uploads.items():
            if upload_id not in known:
                await self._store.delete(key)


def _upload_of(key: str) -> UUID | None:
    try:
        return UUID(key.split("/")[1])
    except (ValueError, IndexError):
        return None
