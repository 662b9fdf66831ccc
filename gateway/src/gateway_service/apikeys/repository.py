"""All SQL about API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.apikeys.models import ApiKey


async def add(db: AsyncSession, key: ApiKey) -> None:
    db.add(key)
    await db.flush()


async def count_of_user(db: AsyncSession, user_id: UUID) -> int:
    return int(
        await db.scalar(select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)))
        or 0
    )


async def page_of_user(db: AsyncSession, user_id: UUID, *, after: UUID | None, limit: int) -> list[ApiKey]:
    """Keys that were not deleted, newest first."""
    statement = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    if after is not None:
        statement = statement.where(ApiKey.id < after)
    return list(await db.scalars(statement.order_by(ApiKey.id.desc()).limit(limit)))


async def key_for_update(db: AsyncSession, user_id: UUID, key_id: UUID) -> ApiKey | None:
    statement = select(ApiKey).where(
        ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)
    )
    return await db.scalar(statement.with_for_update())


async def revoke_all(db: AsyncSession, user_id: UUID, *, now: datetime) -> list[UUID]:
    """Revokes every key of a user; returns them."""
    statement = (
        update(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now, updated_at=now)
    )
    return list(await db.scalars(statement.returning(ApiKey.id)))
