"""The chunks of an upload become one file."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.db import Database
from shared.errors import AppError
from shared.ids import uuid7

from retrieval_service.files.admission import admit, key_of
from retrieval_service.files.enqueue import Enqueuer
from retrieval_service.files.intake import TakenFile, take_in
from retrieval_service.files.quota import FileQuota
from retrieval_service.objects.port import ObjectMissing, ObjectStore
from retrieval_service.uploads import repository
from retrieval_service.uploads.errors import ChecksumMismatch, UploadLost
from retrieval_service.uploads.models import UploadRow

_KEPT_AFTER_END = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Whole:
    file_id: UUID
    taken: TakenFile


class Assembler:
    """One per process. Two at once do the work twice, and the file is made once."""

    def __init__(self, database: Database, store: ObjectStore, quota: FileQuota, enqueuer: Enqueuer) -> None:
        self._database = database
        self._store = store
        self._quota = quota
        self._enqueuer = enqueuer
        self._busy: set[UUID] = set()

    def is_busy(self, upload_id: UUID) -> bool:
        return upload_id in self._busy

    async def finish(self, upload: UploadRow) -> None:
        """Make the file of an upload that is complete; nothing when it was made, refused or given up
        meanwhile.

        Raises: AppError that refuses the file, which is then noted; Unavailable, to be tried again.
        """
        principal = Principal.from_claims(upload.principal)
        self._busy.add(upload.id)
        try:
            keys = await self._part_keys(upload.id)
            try:
                await self._make(upload, principal, keys)
            except AppError as refusal:
                if refusal.status < 500:
                    await self._refuse(upload.id, refusal)
                    await self._delete(keys)
                raise
            await self._delete(keys)
        finally:
            self._busy.discard(upload.id)

    async def _part_keys(self, upload_id: UUID) -> Sequence[str]:
        async with self._database.transaction() as session:
            return [part.s3_key for part in await repository.parts(session, upload_id=upload_id)]

    async def _make(self, upload: UploadRow, principal: Principal, keys: Sequence[str]) -> None:
        try:
            whole = await self._join(upload, principal, keys)
        except ObjectMissing:
            if await self._is_open(upload.id):
                raise UploadLost from None
            return  # another one finished it, or it was given up
        try:
            made = await self._admit(upload, principal, whole)
        except AppError:
            await self._store.delete(whole.taken.key)
            raise
        if made:
            self._enqueuer.look_soon()
        else:
            await self._store.delete(whole.taken.key)

    async def _join(self, upload: UploadRow, principal: Principal, keys: Sequence[str]) -> _Whole:
        async def read() -> AsyncGenerator[bytes]:
            for key in keys:
                async for chunk in await self._store.open(key):
                    yield chunk

        file_id = uuid7()
        taken = await take_in(
            self._store,
            key_of(principal, file_id),
            read(),
            filename=upload.filename,
            claimed_type=upload.content_type,
            size_max=upload.size_bytes,
        )
        if upload.sha256 is not None and taken.sha256 != upload.sha256:
            await self._store.delete(taken.key)
            raise ChecksumMismatch
        return _Whole(file_id, taken)

    async def _admit(self, upload: UploadRow, principal: Principal, whole: _Whole) -> bool:
        async with self._database.transaction() as session:
            if await repository.lock_open(session, id=upload.id, now=utc_now()) is None:
                return False
            # First: what the upload had reserved is the file's room.
            values = {"file_id": whole.file_id, "expires_at": utc_now() + _KEPT_AFTER_END}
            await repository.change(session, id=upload.id, values=values)
            await admit(
                session,
                principal,
                whole.taken,
                file_id=whole.file_id,
                filename=upload.filename,
                knowledge_base_id=upload.knowledge_base_id,
                quota=self._quota,
            )
        return True

    async def _is_open(self, upload_id: UUID) -> bool:
        async with self._database.transaction() as session:
            return await repository.lock_open(session, id=upload_id, now=utc_now()) is not None

    async def _refuse(self, upload_id: UUID, refusal: AppError) -> None:
        values = {"error_status": refusal.status, "error_code": refusal.code, "error_detail": refusal.detail}
        async with self._database.transaction() as session:
            if await repository.lock_open(session, id=upload_id, now=utc_now()) is not None:
                await repository.change(
                    session, id=upload_id, values={**values, "expires_at": utc_now() + _KEPT_AFTER_END}
                )

    async def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._store.delete(key)
