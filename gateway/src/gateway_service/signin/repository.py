"""All SQL about passwords, and the lock of sign-ups."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.people.models import UserAccount
from gateway_service.signin.models import Password

# Any constant will do; it only has to be the same in every gateway process.
_SIGNUP_LOCK = 4_107_201_126


async def lock_signups(db: AsyncSession) -> None:
    """Until the transaction ends nobody else signs up: two first sign-ups must not both find an
    empty table.
    """
    await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SIGNUP_LOCK})


async def credential_of(db: AsyncSession, email: str) -> tuple[UUID, str] | None:
    """Id and password hash of the person with this address; one query whether they exist or not."""
    person = select(Password.user_id, Password.hash).join(UserAccount, UserAccount.id == Password.user_id)
    row = (await db.execute(person.where(UserAccount.email == email))).one_or_none()
    return None if row is None else (row[0], row[1])


async def password_of(db: AsyncSession, user_id: UUID) -> str | None:
    return await db.scalar(select(Password.hash).where(Password.user_id == user_id))


async def set_password(db: AsyncSession, user_id: UUID, *, password_hash: str, now: datetime) -> None:
    values = {"hash": password_hash, "changed_at": now}
    statement = (
        insert(Password)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
    await db.execute(statement)
