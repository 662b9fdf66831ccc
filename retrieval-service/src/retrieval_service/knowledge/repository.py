"""All SQL about knowledge bases."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.clock import utc_now
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.knowledge.models import KnowledgeBaseFileRow, KnowledgeBaseRow


def _readable(*, user_id: UUID, organisation_id: UUID) -> ColumnElement[bool]:
    """The one condition that decides who reads a knowledge base."""
    here = KnowledgeBaseRow.organisation_id == organisation_id
    return here & or_(KnowledgeBaseRow.user_id == user_id, KnowledgeBaseRow.access == "organisation")


async def add(session: AsyncSession, row: KnowledgeBaseRow) -> None:
    session.add(row)
    await session.flush()


async def readable(
    session: AsyncSession, *, ids: Sequence[UUID], user_id: UUID, organisation_id: UUID
) -> Sequence[KnowledgeBaseRow]:
    """Those of `ids` that this person may read."""
    query = select(KnowledgeBaseRow).where(
        KnowledgeBaseRow.id.in_(ids), _readable(user_id=user_id, organisation_id=organisation_id)
    )
    return (await session.execute(query)).scalars().all()


async def get_own(
    session: AsyncSession, *, id: UUID, user_id: UUID, organisation_id: UUID, lock: bool
) -> KnowledgeBaseRow | None:
    query = select(KnowledgeBaseRow).where(
        KnowledgeBaseRow.id == id,
        KnowledgeBaseRow.user_id == user_id,
        KnowledgeBaseRow.organisation_id == organisation_id,
    )
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def list_readable(
    session: AsyncSession, *, user_id: UUID, organisation_id: UUID, before: UUID | None, limit: int
) -> Sequence[KnowledgeBaseRow]:
    """Newest first, strictly older than `before`; ids are ordered by time."""
    query = select(KnowledgeBaseRow).where(_readable(user_id=user_id, organisation_id=organisation_id))
    if before is not None:
        query = query.where(KnowledgeBaseRow.id < before)
    return (await session.execute(query.order_by(KnowledgeBaseRow.id.desc()).limit(limit))).scalars().all()


async def count_own(session: AsyncSession, *, user_id: UUID) -> int:
    query = select(func.count()).select_from(KnowledgeBaseRow).where(KnowledgeBaseRow.user_id == user_id)
    return (await session.execute(query)).scalar_one()


async def change(session: AsyncSession, *, id: UUID, values: Mapping[str, Any]) -> None:
    await session.execute(
        update(KnowledgeBaseRow).where(KnowledgeBaseRow.id == id).values(**values, updated_at=utc_now())
    )


async def remove(session: AsyncSession, *, id: UUID) -> None:
    await session.execute(delete(KnowledgeBaseRow).where(KnowledgeBaseRow.id == id))


def linked_files(*, ids: Sequence[UUID]) -> Select[UUID]:
    """A query of the file ids in these knowledge bases."""
    return select(KnowledgeBaseFileRow.file_id).where(KnowledgeBaseFileRow.knowledge_base_id.in_(ids))


def readable_files(*, user_id: UUID, organisation_id: UUID) -> Select[UUID]:
    """A query of the file ids in every knowledge base this person may read."""
    query = select(KnowledgeBaseFileRow.file_id).join(
        KnowledgeBaseRow, KnowledgeBaseRow.id == KnowledgeBaseFileRow.knowledge_base_id
    )
    return query.where(_readable(user_id=user_id, organisation_id=organisation_id))


async def readable_links(
    session: AsyncSession, *, file_ids: Sequence[UUID], user_id: UUID, organisation_id: UUID
) -> Sequence[tuple[UUID, UUID]]:
    """(file, knowledge base) of the knowledge bases this person may read."""
    query = (
        select(KnowledgeBaseFileRow.file_id, KnowledgeBaseFileRow.knowledge_base_id)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == KnowledgeBaseFileRow.knowledge_base_id)
        .where(
            KnowledgeBaseFileRow.file_id.in_(file_ids),
            _readable(user_id=user_id, organisation_id=organisation_id),
        )
        .order_by(KnowledgeBaseFileRow.created_at, KnowledgeBaseFileRow.knowledge_base_id)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def file_counts(session: AsyncSession, *, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Files by knowledge base; one without files is absent."""
    query = (
        select(KnowledgeBaseFileRow.knowledge_base_id, func.count())
        .where(KnowledgeBaseFileRow.knowledge_base_id.in_(ids))
        .group_by(KnowledgeBaseFileRow.knowledge_base_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def link(session: AsyncSession, *, id: UUID, file_id: UUID) -> None:
    """Linking twice changes nothing."""
    values = {"knowledge_base_id": id, "file_id": file_id, "created_at": utc_now()}
    await session.execute(insert(KnowledgeBaseFileRow).values(**values).on_conflict_do_nothing())


async def unlink(session: AsyncSession, *, id: UUID, file_id: UUID) -> bool:
    """Whether it was linked."""
    statement = delete(KnowledgeBaseFileRow).where(
        KnowledgeBaseFileRow.knowledge_base_id == id, KnowledgeBaseFileRow.file_id == file_id
    )
    return (
        await session.execute(statement.returning(KnowledgeBaseFileRow.file_id))
    ).scalar_one_or_none() is not None


async def unlink_everywhere(session: AsyncSession, *, file_ids: Sequence[UUID]) -> None:
    await session.execute(delete(KnowledgeBaseFileRow).where(KnowledgeBaseFileRow.file_id.in_(file_ids)))
