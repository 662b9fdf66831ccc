"""Rules about knowledge bases, and the one place that decides whether one may be read or changed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.contracts.retrieval import Access, KnowledgeBase
from shared.ids import uuid7
from shared.pagination import Page, cursor, page_of
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.knowledge import repository
from retrieval_service.knowledge.errors import KnowledgeBaseFull, KnowledgeBaseNotFound, TooManyKnowledgeBases
from retrieval_service.knowledge.models import KnowledgeBaseRow

BASES_PER_USER_MAX = 200
FILES_PER_BASE_MAX = 10_000


def collection_of(knowledge_base_id: UUID) -> str:
    """The vector collection of the files that are uploaded into a knowledge base."""
    return f"kb-{knowledge_base_id}"


async def require_readable(
    session: AsyncSession, principal: Principal, ids: Sequence[UUID]
) -> Sequence[KnowledgeBaseRow]:
    """All of `ids`, if the caller may read every one of them.

    Raises:
        KnowledgeBaseNotFound: one does not exist, or is someone else's and private.
    """
    if not ids:
        return []
    rows = await repository.readable(
        session, ids=ids, user_id=principal.actor_id, organisation_id=principal.organisation_id
    )
    if len(rows) < len(set(ids)):
        raise KnowledgeBaseNotFound
    return rows


async def own(
    session: AsyncSession, principal: Principal, id: UUID, *, lock: bool = False
) -> KnowledgeBaseRow:
    """The knowledge base, if the caller may change it. Raises: KnowledgeBaseNotFound."""
    row = await repository.get_own(
        session, id=id, user_id=principal.actor_id, organisation_id=principal.organisation_id, lock=lock
    )
    if row is None:
        raise KnowledgeBaseNotFound
    return row


async def read(session: AsyncSession, principal: Principal, id: UUID) -> KnowledgeBase:
    """Raises: KnowledgeBaseNotFound."""
    rows = await require_readable(session, principal, [id])
    return (await _views(session, principal, rows))[0]


async def list_page(
    session: AsyncSession, principal: Principal, *, after: str | None, limit: int
) -> Page[KnowledgeBase]:
    """One page, newest first. Raises: CursorInvalid."""
    rows = await repository.list_readable(
        session,
        user_id=principal.actor_id,
        organisation_id=principal.organisation_id,
        before=cursor(after),
        limit=limit + 1,
    )
    shown = await _views(session, principal, rows[:limit])
    return page_of(shown, limit=limit, found=len(rows))


async def create(
    session: AsyncSession, principal: Principal, *, name: str, description: str, access: Access
) -> KnowledgeBase:
    """Raises: TooManyKnowledgeBases."""
    if await repository.count_own(session, user_id=principal.actor_id) >= BASES_PER_USER_MAX:
        raise TooManyKnowledgeBases(BASES_PER_USER_MAX)
    now = utc_now()
    row = KnowledgeBaseRow(
        id=uuid7(),
        organisation_id=principal.organisation_id,
        user_id=principal.actor_id,
        name=name,
        description=description,
        access=access,
        created_at=now,
        updated_at=now,
    )
    await repository.add(session, row)
    return (await _views(session, principal, [row]))[0]


async def patch(
    session: AsyncSession, principal: Principal, id: UUID, values: Mapping[str, Any]
) -> KnowledgeBase:
    """Raises: KnowledgeBaseNotFound."""
    row = await own(session, principal, id, lock=True)
    if values:
        await repository.change(session, id=id, values=values)
        await session.refresh(row)
    return (await _views(session, principal, [row]))[0]


async def delete(session: AsyncSession, principal: Principal, id: UUID) -> None:
    """Its files stay their owners'. Raises: KnowledgeBaseNotFound."""
    await own(session, principal, id, lock=True)
    await repository.remove(session, id=id)


async def link(session: AsyncSession, principal: Principal, id: UUID, file_id: UUID) -> None:
    """Put a file in, which the caller has locked as its owner. Raises: KnowledgeBaseNotFound,
    KnowledgeBaseFull.
    """
    await own(session, principal, id, lock=True)
    if (await repository.file_counts(session, ids=[id])).get(id, 0) >= FILES_PER_BASE_MAX:
        raise KnowledgeBaseFull(FILES_PER_BASE_MAX)
    await repository.link(session, id=id, file_id=file_id)


async def unlink(session: AsyncSession, principal: Principal, id: UUID, file_id: UUID) -> bool:
    """Take a file out; whether it was in. Raises: KnowledgeBaseNotFound."""
    await own(session, principal, id, lock=True)
    return await repository.unlink(session, id=id, file_id=file_id)


async def unlink_everywhere(session: AsyncSession, file_ids: Sequence[UUID]) -> None:
    """For files that are being deleted."""
    await repository.unlink_everywhere(session, file_ids=file_ids)


def linked_files(ids: Sequence[UUID]) -> "Select[UUID]":
    """A query of the file ids in knowledge bases that passed `require_readable` or `own`."""
    return repository.linked_files(ids=ids)


def readable_files(principal: Principal) -> "Select[UUID]":
    """A query of the file ids in every knowledge base the caller may read."""
    return repository.readable_files(user_id=principal.actor_id, organisation_id=principal.organisation_id)


async def readable_links(
    session: AsyncSession, principal: Principal, file_ids: Sequence[UUID]
) -> dict[UUID, list[UUID]]:
    """Knowledge bases by file, of those the caller may read."""
    links: dict[UUID, list[UUID]] = {}
    if not file_ids:
        return links
    rows = await repository.readable_links(
        session, file_ids=file_ids, user_id=principal.actor_id, organisation_id=principal.organisation_id
    )
    for file_id, knowledge_base_id in rows:
        links.setdefault(file_id, []).append(knowledge_base_id)
    return links


async def _views(
    session: AsyncSession, principal: Principal, rows: Sequence[KnowledgeBaseRow]
) -> list[KnowledgeBase]:
    counts = await repository.file_counts(session, ids=[row.id for row in rows])
    return [
        KnowledgeBase(
            id=row.id,
            name=row.name,
            description=row.description,
            access=row.access,  # pyright: ignore[reportArgumentType] - the table allows the literal's values only
            writable=row.user_id == principal.user_id,
            file_count=counts.get(row.id, 0),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]
