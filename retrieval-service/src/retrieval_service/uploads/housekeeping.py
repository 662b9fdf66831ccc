"""What uploads leave behind: complete ones whose process died, abandoned ones, chunks that nobody counts."""

import logging
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

log = logging.getLogger(__name__)


class UploadHousekeeping:
    """One a process."""

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
                log.info("an upload did not become a file", extra={"upload_id": str(row.id), "code": error.code})

    async def purge(self) -> None:
        """Remove expired and deleted uploads, the row last."""
        async with self._database.transaction() as session:
            ids = await repository.expired(session, now=utc_now(), limit=_BATCH_MAX)
        for upload_id in ids:
            async for item in self._store.list(f"{UPLOADS_PREFIX}/{upload_id}"):
                await self._store.delete(item.key)
            async with self._database.transaction() as session:
                await repository.remove(session, id=upload_id)

    async def sweep_strays(self) -> None:
        """Remove chunks that were on their way when their upload was removed."""
        before = utc_now() - _STRAY_AFTER
        async for item in self._store.list(UPLOADS_PREFIX):
            if item.modified_at < before and not await self._is_known(item.key):
                await self._store.delete(item.key)

    async def _is_known(self, key: str) -> bool:
        try:
            upload_id = UUID(key.split("/")[1])
        except (ValueError, IndexError):
            return False
        async with self._database.transaction() as session:
            return bool(await repository.known(session, ids=[upload_id]))
