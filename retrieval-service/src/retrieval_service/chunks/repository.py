"""All SQL about chunks."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.chunks.models import ChunkRow


async def add(session: AsyncSession, rows: Sequence[dict[str, object]]) -> None:
    await session.execute(insert(ChunkRow), rows)


async def remove(session: AsyncSession, *, file_id: UUID) -> None:
    await session.execute(delete(ChunkRow).where(ChunkRow.file_id == file_id))


async def by_ids(session: AsyncSession, *, ids: Sequence[UUID]) -> Sequence[ChunkRow]:
    return (await session.execute(select(ChunkRow).where(ChunkRow.id.in_(ids)))).scalars().all()


async def stretch(session: AsyncSession, *, file_id: UUID, first: int, limit: int) -> Sequence[ChunkRow]:
    """In order, from the ordinal `first`."""
    query = (
        select(ChunkRow)
        .where(ChunkRow.file_id == file_id, ChunkRow.ordinal >= first)
        .order_by(ChunkRow.ordinal)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def first_of(session: AsyncSession, *, file_ids: Sequence[UUID], limit: int) -> Sequence[ChunkRow]:
    """Of several files, file by file in order."""
    query = (
        select(ChunkRow)
        .where(ChunkRow.file_id.in_(file_ids))
        .order_by(ChunkRow.file_id, ChunkRow.ordinal)
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def get(session: AsyncSession, *, file_id: UUID, chunk_id: UUID) -> ChunkRow | None:
    query = select(ChunkRow).where(ChunkRow.file_id == file_id, ChunkRow.id == chunk_id)
    return (await session.execute(query)).scalar_one_or_none()


async def totals(session: AsyncSession, *, file_id: UUID) -> tuple[int, int]:
    """Chunks and tokens of a file."""
    query = select(func.count(), func.coalesce(func.sum(ChunkRow.token_count), 0)).where(
        ChunkRow.file_id == file_id
    )
    count, tokens = (await session.execute(query)).one()
    return count, int(tokens)


async def first_id(session: AsyncSession, *, file_id: UUID) -> UUID | None:
    query = select(ChunkRow.id).where(ChunkRow.file_id == file_id).order_by(ChunkRow.ordinal).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def counts_by_file(session: AsyncSession, *, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
    """(file, chunks), by file id, from the one after `after`."""
    query = (
        select(ChunkRow.file_id, func.count())
        .group_by(ChunkRow.file_id)
        .order_by(ChunkRow.file_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(ChunkRow.file_id > after)
    return [(row[0], row[1]) for row in await session.execute(query)]
