"""All SQL about sessions and refresh tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.sessions.models import RefreshToken, UserSession


async def add(db: AsyncSession, session: UserSession, *, token_sha256: bytes) -> None:
    """A session with the first token of its chain."""
    db.add(session)
    await db.flush()
    await add_token(db, session, token_sha256=token_sha256, now=session.created_at)


async def add_token(db: AsyncSession, session: UserSession, *, token_sha256: bytes, now: datetime) -> None:
    db.add(
        RefreshToken(
            token_sha256=token_sha256, session_id=session.id, created_at=now, expires_at=session.expires_at
        )
    )
    await db.flush()


async def lock_session_of_token(db: AsyncSession, token_sha256: bytes) -> UserSession | None:
    """The session of a token, locked: whoever refreshes it next waits for this transaction."""
    owner = select(RefreshToken.session_id).where(RefreshToken.token_sha256 == token_sha256).scalar_subquery()
    return await db.scalar(select(UserSession).where(UserSession.id == owner).with_for_update())


async def token(db: AsyncSession, token_sha256: bytes) -> RefreshToken | None:
    return await db.get(RefreshToken, token_sha256)


async def live_of_user(db: AsyncSession, user_id: UUID, *, now: datetime, limit: int) -> list[UserSession]:
    """Sessions that still work, the last used first."""
    statement = (
        select(UserSession)
        .where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.expires_at > now)
        .order_by(UserSession.last_used_at.desc(), UserSession.id.desc())
        .limit(limit)
    )
    return list(await db.scalars(statement))


async def revoke(db: AsyncSession, session_id: UUID, *, user_id: UUID, reason: str, now: datetime) -> bool:
    """Whether a live session of this user was ended."""
    statement = (
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=reason)
        .returning(UserSession.id)
    )
    return await db.scalar(statement) is not None


async def revoke_all(
    db: AsyncSession, user_id: UUID, *, keep: UUID | None, reason: str, now: datetime
) -> list[UUID]:
    """Ends all live sessions of a user but `keep`; returns the ended ones."""
    statement = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if keep is not None:
        statement = statement.where(UserSession.id != keep)
    return list(
        await db.scalars(statement.values(revoked_at=now, revoked_reason=reason).returning(UserSession.id))
    )
