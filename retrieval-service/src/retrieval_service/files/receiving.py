"""One file by one request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from shared.auth.principal import Principal
from shared.db import Database
from shared.errors import AppError
from shared.idempotency import Operation, StoredAnswer
from shared.ids import uuid7

from retrieval_service.files import service
from retrieval_service.files.admission import admit, key_of
from retrieval_service.files.enqueue import Enqueuer
from retrieval_service.files.errors import FileMissing, FileTooLarge, FormInvalid
from retrieval_service.files.form import Form, IncomingFile, read_form
from retrieval_service.files.intake import TakenFile, take_in
from retrieval_service.files.names import clean_filename
from retrieval_service.files.quota import FileQuota
from retrieval_service.objects.port import ObjectStore
from shared import idempotency

FORM_BYTES_MAX = 64 * 1024  # what a form has beside its file
_KNOWLEDGE_BASE_FIELD = "knowledge_base_id"


@dataclass(frozen=True, slots=True)
class _Arrived:
    file_id: UUID
    filename: str
    taken: TakenFile


class _Repeated(Exception):
    """The operation was done before; nothing of this one is kept."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__()
        self.answer = answer


class FileReceiver:
    """One per process."""

    def __init__(self, database: Database, store: ObjectStore, quota: FileQuota, enqueuer: Enqueuer) -> None:
        self._database = database
        self._store = store
        self._quota = quota
        self._enqueuer = enqueuer

    async def receive(
        self,
        principal: Principal,
        body: AsyncIterator[bytes],
        *,
        content_type: str | None,
        length: int | None,
        operation: Operation | None,
    ) -> StoredAnswer:
        """Take the file of a form in; `length` is what the client declared of the body.

        Raises: FileTooLarge, QuotaExceeded, TypeRefused, FormInvalid, FilenameInvalid, KnowledgeBaseNotFound,
        Unavailable.
        """
        await self._refuse_early(principal, length, repeats=operation is not None)
        arrived: list[_Arrived] = []

        async def take(incoming: IncomingFile) -> _Arrived:
            arrived.append(await self._take(principal, incoming))
            return arrived[0]

        try:
            form = await read_form(
                body, content_type=content_type, fields=frozenset({_KNOWLEDGE_BASE_FIELD}), take=take
            )
            return await self._admit(principal, form, operation)
        except _Repeated as repeated:
            await self._store.delete(arrived[0].taken.key)
            return repeated.answer
        except AppError:
            # Only what was refused: after an outage it is not known whether the row was written.
            for file in arrived:
                await self._store.delete(file.taken.key)
            raise

    async def _refuse_early(self, principal: Principal, length: int | None, *, repeats: bool) -> None:
        if length is not None and length > self._quota.file_bytes_max + FORM_BYTES_MAX:
            raise FileTooLarge(self._quota.file_bytes_max)
        if repeats:
            return  # the first answer comes again even when the quota is full by now
        async with self._database.transaction() as session:
            await self._quota.require_room(
                session, principal.actor_id, max(0, (length or 0) - FORM_BYTES_MAX)
            )

    async def _take(self, principal: Principal, incoming: IncomingFile) -> _Arrived:
        file_id = uuid7()
        filename = clean_filename(incoming.filename)
        taken = await take_in(
            self._store,
            key_of(principal, file_id),
            incoming.chunks,
            filename=filename,
            claimed_type=incoming.content_type,
            size_max=self._quota.file_bytes_max,
        )
        return _Arrived(file_id, filename, taken)

    async def _admit(
        self, principal: Principal, form: Form[_Arrived], operation: Operation | None
    ) -> StoredAnswer:
        if form.file is None:
            raise FileMissing("the form has no file; add a part named file with a filename")
        file, knowledge_base_id = form.file, _knowledge_base_id(form)
        async with self._database.transaction() as session:
            if operation:
                marks = f"{file.filename}\n{file.taken.sha256}\n{knowledge_base_id}".encode()
                if first := await idempotency.begin(session, operation, body=marks):
                    raise _Repeated(first)
            row = await admit(
                session,
                principal,
                file.taken,
                file_id=file.file_id,
                filename=file.filename,
                knowledge_base_id=knowledge_base_id,
                quota=self._quota,
            )
            answer = StoredAnswer(
                201, (await service.view(session, principal, row)).model_dump_json().encode()
            )
            if operation:
                await idempotency.finish(session, operation, status=answer.status, body=answer.body)
        self._enqueuer.look_soon()
        return answer


def _knowledge_base_id(form: Form[_Arrived]) -> UUID | None:
    value = form.fields.get(_KNOWLEDGE_BASE_FIELD)
    if not value:
        return None
    try:
        return UUID(value)
    except ValueError:
        raise FormInvalid("knowledge_base_id: must be the id of a knowledge base") from None
