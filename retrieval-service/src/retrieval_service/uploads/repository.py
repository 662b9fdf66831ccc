"""All SQL about uploads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.uploads.models import UploadPartRow, UploadRow


def _unfinished(now: datetime) -> ColumnElement[bool]:
    return and_(UploadRow.file_id.is_(None), UploadRow.error_code.is_(None), UploadRow.expires_at > now)


async def add(session: AsyncSession, row: UploadRow) -> None:
    session.add(row)
    await session.flush()


async def get_own(
    session: AsyncSession, *, id: UUID, user_id: UUID, organisation_id: UUID, now: datetime, lock: bool
) -> UploadRow | None:
    query = select(UploadRow).where(
        UploadRow.id == id,
        UploadRow.user_id == user_id,
        UploadRow.organisation_id == organisation_id,
        UploadRow.expires_at > now,
    )
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def get_part(session: AsyncSession, *, upload_id: UUID, offset: int) -> UploadPartRow | None:
    return await session.get(UploadPartRow, (upload_id, offset))


async def parts(session: AsyncSession, *, upload_id: UUID) -> Sequence[UploadPartRow]:
    """In the order of the file."""
    query = (
        select(UploadPartRow).where(UploadPartRow.upload_id == upload_id).order_by(UploadPartRow.offset_bytes)
    )
    return (await session.execute(query)).scalars().all()


async def add_part(session: AsyncSession, part: UploadPartRow, *, expires_at: datetime) -> None:
    """For an upload that the caller has locked."""
    session.add(part)
    await session.flush()
    end = part.offset_bytes + part.size_bytes
    await session.execute(
        update(UploadRow)
        .where(UploadRow.id == part.upload_id)
        .values(offset_bytes=end, expires_at=expires_at)
    )


async def change(session: AsyncSession, *, id: UUID, values: dict[str, Any]) -> None:
    await session.execute(update(UploadRow).where(UploadRow.id == id).values(**values))


async def reserved(session: AsyncSession, *, user_id: UUID, now: datetime) -> tuple[int, int]:
    """Unfinished uploads of a person and the bytes they announced."""
    query = select(func.count(), func.coalesce(func.sum(UploadRow.size_bytes), 0)).where(
        UploadRow.user_id == user_id, _unfinished(now)
    )
    count, size_bytes = (await session.execute(query)).one()
    return count, int(size_bytes)


async def complete(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[UploadRow]:
    """Uploads whose bytes have all arrived and that are no file yet."""
    query = select(UploadRow).where(UploadRow.offset_bytes == UploadRow.size_bytes, _unfinished(now))
    return (await session.execute(query.order_by(UploadRow.id).limit(limit))).scalars().all()


async def expired(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[UUID]:
    query = (
        select(UploadRow.id).where(UploadRow.expires_at <= now).order_by(UploadRow.expires_at).limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def remove(session: AsyncSession, *, id: UUID) -> None:
    await session.execute(delete(UploadRow).where(UploadRow.id == id))


async def known(session: AsyncSession, *, ids: Sequence[UUID]) -> set[UUID]:
    return set((await session.execute(select(UploadRow.id).where(UploadRow.id.in_(ids)))).scalars())


async def lock_open(session: AsyncSession, *, id: UUID, now: datetime) -> UploadRow | None:
    """The upload while it is unfinished; nobody else finishes or continues it until the transaction ends."""
    query = select(UploadRow).where(UploadRow.id == id, _unfinished(now)).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()
