"""Rules about files, and the one place that decides which files a person may see."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.contracts.retrieval import (
    DocumentError,
    DocumentMetadata,
    DocumentProgress,
    EmbeddingStatus,
    Stage,
)
from shared.pagination import Page, cursor
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import repository
from retrieval_service.files.errors import FileNotFound, ScopeTooLarge, StageConflict
from retrieval_service.files.models import FileRow
from retrieval_service.knowledge import service as knowledge
from retrieval_service.vectors.port import Scope, Selection

SCOPE_FILES_MAX = 10_000
_STATUS: dict[Stage, EmbeddingStatus] = {"ready": "completed", "failed": "failed", "cancelled": "failed"}


async def visible_files(
    session: AsyncSession, principal: Principal, file_ids: Sequence[UUID]
) -> Sequence[FileRow]:
    """All of `file_ids`, if the caller may see every one of them: own files, and ready ones in readable
    knowledge bases.

    Whatever shows or searches files goes through here; whatever changes one goes through `own_file`.

    Raises:
        FileNotFound: one does not exist, is deleted, or is not the caller's to see.
    """
    if not file_ids:
        return []
    rows = await repository.visible(
        session,
        file_ids=file_ids,
        user_id=principal.actor_id,
        organisation_id=principal.organisation_id,
        linked=knowledge.readable_files(principal),
    )
    if len(rows) < len(set(file_ids)):
        raise FileNotFound
    return rows


async def visible_file(session: AsyncSession, principal: Principal, file_id: UUID) -> FileRow:
    """Raises: FileNotFound."""
    return (await visible_files(session, principal, [file_id]))[0]


async def own_file(
    session: AsyncSession, principal: Principal, file_id: UUID, *, lock: bool = False
) -> FileRow:
    """The file, if the caller may change it. Raises: FileNotFound."""
    row = await repository.get_own(
        session,
        file_id=file_id,
        user_id=principal.actor_id,
        organisation_id=principal.organisation_id,
        lock=lock,
    )
    if row is None:
        raise FileNotFound
    return row


async def readable_selection(
    session: AsyncSession, principal: Principal, knowledge_base_ids: Sequence[UUID], file_ids: Sequence[UUID]
) -> Scope:
    """What a search may look into: the ready files of all that was named; without names, the caller's own.

    Of more than SCOPE_FILES_MAX own files the whole collections, which hold nobody else's: `ready_names` then
    says what may be shown.

    Raises:
        KnowledgeBaseNotFound, FileNotFound: a name the caller may not see.
        ScopeTooLarge: more than SCOPE_FILES_MAX files were named.
    """
    limit = SCOPE_FILES_MAX + 1
    if knowledge_base_ids or file_ids:
        await knowledge.require_readable(session, principal, knowledge_base_ids)
        await visible_files(session, principal, file_ids)
        linked = knowledge.linked_files(knowledge_base_ids)
        places = await repository.ready_of(
            session, organisation_id=principal.organisation_id, file_ids=file_ids, linked=linked, limit=limit
        )
    else:
        places = await repository.ready_own(
            session, user_id=principal.actor_id, organisation_id=principal.organisation_id, limit=limit
        )
    if len(places) > SCOPE_FILES_MAX:
        if knowledge_base_ids or file_ids:
            raise ScopeTooLarge(SCOPE_FILES_MAX)
        collections = await repository.own_collections(
            session, user_id=principal.actor_id, organisation_id=principal.organisation_id
        )
        return Scope(
            principal.organisation_id, tuple(Selection(collection, None) for collection in collections)
        )
    by_collection: dict[str, set[UUID]] = {}
    for file_id, collection in places:
        by_collection.setdefault(collection, set()).add(file_id)
    selections = tuple(
        Selection(collection, frozenset(ids)) for collection, ids in sorted(by_collection.items())
    )
    return Scope(principal.organisation_id, selections)


async def names_of(session: AsyncSession, file_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Names by file, of ids that a `readable_selection` allowed; a file deleted since is absent."""
    return await repository.names_of(session, file_ids=file_ids)


async def ready_names(
    session: AsyncSession, principal: Principal, file_ids: Sequence[UUID]
) -> dict[UUID, str]:
    """Names by file, of those that are the caller's own and ready."""
    return await repository.ready_names(
        session, file_ids=file_ids, user_id=principal.actor_id, organisation_id=principal.organisation_id
    )


async def view(session: AsyncSession, principal: Principal, row: FileRow) -> DocumentMetadata:
    """The file as the API shows it to this person."""
    return (await views(session, principal, [row]))[0]


async def views(
    session: AsyncSession, principal: Principal, rows: Sequence[FileRow]
) -> list[DocumentMetadata]:
    """As `view`, of several files; knowledge bases that the person may not read are left out."""
    links = await knowledge.readable_links(session, principal, [row.id for row in rows])
    return [_view(row, links.get(row.id, [])) for row in rows]


def _view(row: FileRow, knowledge_base_ids: list[UUID]) -> DocumentMetadata:
    stage = cast("Stage", row.stage)
    progress = None
    if row.progress_unit is not None:
        progress = DocumentProgress.model_validate(
            {"done": row.progress_done or 0, "total": row.progress_total, "unit": row.progress_unit}
        )
    return DocumentMetadata(
        document_id=row.id,
        customer_id=row.organisation_id,
        filename=row.filename,
        s3_key=row.s3_key,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        upload_timestamp=row.created_at,
        embedding_status=_STATUS.get(stage, "pending"),
        qdrant_collection=row.collection,
        qdrant_point_id=str(row.first_point_id) if row.first_point_id else None,
        stage=stage,
        progress=progress,
        error=DocumentError(code=row.error_code, detail=row.error_detail or "") if row.error_code else None,
        sha256=row.sha256,
        page_count=row.page_count,
        chunk_count=row.chunk_count,
        token_count=row.token_count,
        knowledge_base_ids=knowledge_base_ids,
        updated_at=row.updated_at,
    )


async def list_page(
    session: AsyncSession,
    principal: Principal,
    *,
    knowledge_base_id: UUID | None,
    stage: Stage | None,
    after: str | None,
    limit: int,
) -> Page[DocumentMetadata]:
    """One page, newest first: the caller's own files, or the visible ones of a readable knowledge base.

    Raises: CursorInvalid, KnowledgeBaseNotFound.
    """
    before = cursor(after)
    user_id, organisation_id = principal.actor_id, principal.organisation_id
    if knowledge_base_id is None:
        rows = await repository.list_own(
            session,
            user_id=user_id,
            organisation_id=organisation_id,
            stage=stage,
            before=before,
            limit=limit + 1,
        )
    else:
        await knowledge.require_readable(session, principal, [knowledge_base_id])
        linked = knowledge.linked_files([knowledge_base_id])
        rows = await repository.list_linked(
            session,
            user_id=user_id,
            organisation_id=organisation_id,
            linked=linked,
            stage=stage,
            before=before,
            limit=limit + 1,
        )
    shown = await views(session, principal, rows[:limit])
    return Page[DocumentMetadata](
        data=shown, has_more=len(rows) > limit, last_id=str(shown[-1].document_id) if shown else None
    )


async def delete(session: AsyncSession, principal: Principal, file_id: UUID) -> None:
    """From the commit on no reader sees it; what it left is removed by `removal`. Raises: FileNotFound."""
    row = await own_file(session, principal, file_id, lock=True)
    await _mark_deleted(session, [row.id])


async def delete_own_in(session: AsyncSession, principal: Principal, knowledge_base_id: UUID) -> None:
    """Delete the caller's files in a knowledge base that is the caller's own. Raises:
    KnowledgeBaseNotFound.
    """
    await knowledge.own(session, principal, knowledge_base_id, lock=True)
    linked = knowledge.linked_files([knowledge_base_id])
    ids = await repository.own_in(
        session, user_id=principal.actor_id, organisation_id=principal.organisation_id, linked=linked
    )
    await _mark_deleted(session, ids)


async def _mark_deleted(session: AsyncSession, file_ids: Sequence[UUID]) -> None:
    await repository.mark_deleted(session, file_ids=file_ids, now=utc_now())
    await knowledge.unlink_everywhere(session, file_ids)


async def cancel(session: AsyncSession, principal: Principal, file_id: UUID) -> FileRow:
    """Stop the ingestion: at once when it waits, else at its next step. Raises: FileNotFound,
    StageConflict.
    """
    row = await own_file(session, principal, file_id, lock=True)
    match row.stage:
        case "queued":
            values = {"stage": "cancelled"}
        case "parsing" | "embedding":
            values = {"cancel_requested": True}
        case "cancelled":
            return row
        case _:
            raise StageConflict(f"the file is {row.stage}; only what waits or runs can be cancelled")
    await repository.change(session, file_id=file_id, values=values)
    await session.refresh(row)
    return row


async def retry(session: AsyncSession, principal: Principal, file_id: UUID) -> FileRow:
    """Ingest a failed or cancelled file again, as a new attempt. Raises: FileNotFound, StageConflict."""
    row = await own_file(session, principal, file_id, lock=True)
    if row.stage not in ("failed", "cancelled"):
        raise StageConflict(f"the file is {row.stage}; only a failed or cancelled file can be tried again")
    values = {**_FRESH, "stage": "queued", "attempt": row.attempt + 1}
    await repository.change(session, file_id=file_id, values=values)
    await session.refresh(row)
    return row


_FRESH: dict[str, object] = {
    "cancel_requested": False,
    "progress_done": None,
    "progress_total": None,
    "progress_unit": None,
    "error_code": None,
    "error_detail": None,
    "page_count": None,
    "chunk_count": None,
    "token_count": None,
    "first_point_id": None,
}
