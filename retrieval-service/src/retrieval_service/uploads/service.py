"""Rules about resumable uploads: a chunk counts once its bytes are in the object store, and its offset is
moved after that.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.contracts.retrieval import DocumentError
from shared.db import Database
from shared.ids import uuid7
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import service as files
from retrieval_service.files.errors import FileNotFound, FileTooLarge
from retrieval_service.files.names import clean_filename
from retrieval_service.files.quota import FileQuota
from retrieval_service.knowledge import service as knowledge
from retrieval_service.objects.port import UPLOADS_PREFIX, ObjectStore
from retrieval_service.uploads import repository
from retrieval_service.uploads.assembly import Assembler
from retrieval_service.uploads.errors import (
    ChunkInvalid,
    ChunkTooLarge,
    OffsetConflict,
    TooManyUploads,
    UploadNotFound,
    UploadRefused,
)
from retrieval_service.uploads.models import UploadPartRow, UploadRow
from retrieval_service.uploads.schemas import UploadCreate, UploadView

CHUNK_BYTES_MIN = 64 * 1024


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What an operator can set."""

    chunk_bytes_max: int
    idle_max: timedelta
    open_per_user_max: int


async def reserved(session: AsyncSession, user_id: UUID) -> tuple[int, int]:
    """Files and bytes that a person's unfinished uploads will take."""
    return await repository.reserved(session, user_id=user_id, now=utc_now())


async def own_upload(
    session: AsyncSession, principal: Principal, id: UUID, *, lock: bool = False
) -> UploadRow:
    """The upload, if it is the caller's and has not expired. Raises: UploadNotFound."""
    row = await repository.get_own(
        session,
        id=id,
        user_id=principal.actor_id,
        organisation_id=principal.organisation_id,
        now=utc_now(),
        lock=lock,
    )
    if row is None:
        raise UploadNotFound
    return row


class UploadService:
    """One per process."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        quota: FileQuota,
        assembler: Assembler,
        limits: UploadLimits,
    ) -> None:
        self._database = database
        self._store = store
        self._quota = quota
        self._assembler = assembler
        self._limits = limits

    async def create(self, session: AsyncSession, principal: Principal, body: UploadCreate) -> UploadView:
        """Raises: FileTooLarge, QuotaExceeded, TooManyUploads, KnowledgeBaseNotFound, FilenameInvalid."""
        if body.size_bytes > self._quota.file_bytes_max:
            raise FileTooLarge(self._quota.file_bytes_max)
        filename = clean_filename(body.filename)
        await self._quota.require_room(session, principal.actor_id, body.size_bytes)
        unfinished, _ = await reserved(session, principal.actor_id)
        if unfinished >= self._limits.open_per_user_max:
            raise TooManyUploads(
                f"you have {unfinished} unfinished uploads, the most one person may have; finish or delete "
                "one first"
            )
        if body.knowledge_base_id is not None:
            await knowledge.own(session, principal, body.knowledge_base_id)
        now = utc_now()
        row = UploadRow(
            id=uuid7(),
            organisation_id=principal.organisation_id,
            team_id=principal.team_id,
            user_id=principal.actor_id,
            principal=principal.to_claims(),
            filename=filename,
            content_type=body.content_type,
            size_bytes=body.size_bytes,
            sha256=body.sha256,
            knowledge_base_id=body.knowledge_base_id,
            offset_bytes=0,
            created_at=now,
            expires_at=now + self._limits.idle_max,
        )
        await repository.add(session, row)
        return await self.view(session, principal, row)

    async def view(self, session: AsyncSession, principal: Principal, row: UploadRow) -> UploadView:
        """The upload as the API shows it."""
        document = None
        if row.file_id is not None:
            try:
                document = await files.view(
                    session, principal, await files.own_file(session, principal, row.file_id)
                )
            except FileNotFound:
                document = None  # deleted since
        return UploadView(
            id=row.id,
            filename=row.filename,
            size_bytes=row.size_bytes,
            offset=row.offset_bytes,
            chunk_bytes_min=CHUNK_BYTES_MIN,
            chunk_bytes_max=self._limits.chunk_bytes_max,
            expires_at=row.expires_at,
            document=document,
            error=DocumentError(code=row.error_code, detail=row.error_detail or "")
            if row.error_code
            else None,
        )

    async def read(self, principal: Principal, id: UUID) -> UploadView:
        """Raises: UploadNotFound."""
        async with self._database.transaction() as session:
            return await self.view(session, principal, await own_upload(session, principal, id))

    async def append(
        self, principal: Principal, id: UUID, *, offset: int, body: AsyncIterator[bytes]
    ) -> UploadView:
        """Take one chunk in; the last one makes the file. A repeated chunk changes nothing.

        Raises: UploadNotFound, OffsetConflict, ChunkInvalid, ChunkTooLarge, UploadRefused; what refuses the
        whole file; Unavailable.
        """
        async with self._database.transaction() as session:
            row = await own_upload(session, principal, id)
            _require_open(row)
            if (
                offset != row.offset_bytes
                and await repository.get_part(session, upload_id=id, offset=offset) is None
            ):
                raise OffsetConflict(row.offset_bytes)
        part = await self._store_part(row, offset, body)
        try:
            kept = await self._add_part(principal, part, is_last=offset + part.size_bytes == row.size_bytes)
        except (UploadNotFound, UploadRefused, OffsetConflict, ChunkInvalid):
            await self._store.delete(part.s3_key)
            raise
        if not kept:
            await self._store.delete(part.s3_key)
        return await self._after_chunk(principal, id)

    async def _store_part(self, row: UploadRow, offset: int, body: AsyncIterator[bytes]) -> UploadPartRow:
        left = row.size_bytes - offset
        size_max = min(left, self._limits.chunk_bytes_max)
        digest = hashlib.sha256()

        async def watched() -> AsyncGenerator[bytes]:
            size_bytes = 0
            async for chunk in body:
                size_bytes += len(chunk)
                if size_bytes > size_max:
                    raise ChunkTooLarge(f"this chunk may have at most {size_max} bytes; send less")
                digest.update(chunk)
                yield chunk

        # A key of its own for each attempt: two at once never write over one another.
        key = f"{UPLOADS_PREFIX}/{row.id}/{offset:016d}-{uuid7()}"
        size_bytes = await self._store.put(key, watched())
        return UploadPartRow(
            upload_id=row.id,
            offset_bytes=offset,
            size_bytes=size_bytes,
            sha256=digest.hexdigest(),
            s3_key=key,
        )

    async def _add_part(self, principal: Principal, part: UploadPartRow, *, is_last: bool) -> bool:
        """Whether the chunk is new; False when it was there already."""
        if part.size_bytes == 0 or (part.size_bytes < CHUNK_BYTES_MIN and not is_last):
            raise ChunkInvalid(
                f"a chunk has at least {CHUNK_BYTES_MIN} bytes, unless it is the last; send more"
            )
        async with self._database.transaction() as session:
            row = await own_upload(session, principal, part.upload_id, lock=True)
            _require_open(row)
            if part.offset_bytes == row.offset_bytes:
                await repository.add_part(session, part, expires_at=utc_now() + self._limits.idle_max)
                return True
            there = await repository.get_part(session, upload_id=part.upload_id, offset=part.offset_bytes)
            if there is None or (there.size_bytes, there.sha256) != (part.size_bytes, part.sha256):
                raise OffsetConflict(row.offset_bytes)
            return False

    async def _after_chunk(self, principal: Principal, id: UUID) -> UploadView:
        async with self._database.transaction() as session:
            row = await own_upload(session, principal, id)
        if row.offset_bytes == row.size_bytes and row.file_id is None and row.error_code is None:
            await self._assembler.finish(row)
        return await self.read(principal, id)

    async def delete(self, principal: Principal, id: UUID) -> None:
        """From now on it is not there; its chunks go at the next purge. Raises: UploadNotFound."""
        async with self._database.transaction() as session:
            await own_upload(session, principal, id, lock=True)
            await repository.change(session, id=id, values={"expires_at": utc_now()})


def _require_open(row: UploadRow) -> None:
    if row.error_code is not None and row.error_status is not None:
        raise UploadRefused(status=row.error_status, code=row.error_code, detail=row.error_detail or "")
