"""All SQL about chats."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db import Base
from sqlalchemy import bindparam, delete, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats.models import ChatRow

# Built once: to build a statement and its cache key takes longer than to run it, and every message runs
# these.
_OWN = select(ChatRow).where(ChatRow.id == bindparam("chat_id"), ChatRow.user_id == bindparam("user_id"))
_OWN_LOCKED = _OWN.with_for_update()
_TABLE = Base.metadata.tables[ChatRow.__tablename__]
_CHANGE = update(_TABLE).where(_TABLE.c.id == bindparam("of_chat_id"))


async def add(session: AsyncSession, chat: ChatRow) -> None:
    session.add(chat)
    await session.flush()


async def get_own(session: AsyncSession, *, chat_id: UUID, user_id: UUID, lock: bool) -> ChatRow | None:
    """The chat when it is this user's; `lock` keeps other writers of the chat out until the
    transaction ends.
    """
    query = _OWN_LOCKED if lock else _OWN
    return (await session.execute(query, {"chat_id": chat_id, "user_id": user_id})).scalar_one_or_none()


async def list_own(
    session: AsyncSession, *, user_id: UUID, archived: bool, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[ChatRow]:
    """Chats by latest activity, strictly older than `before`."""
    query = select(ChatRow).where(ChatRow.user_id == user_id, ChatRow.archived == archived)
    if before is not None:
        query = query.where(tuple_(ChatRow.updated_at, ChatRow.id) < before)
    rows = await session.execute(query.order_by(ChatRow.updated_at.desc(), ChatRow.id.desc()).limit(limit))
    return rows.scalars().all()


async def change(session: AsyncSession, *, chat_id: UUID, values: Mapping[str, Any]) -> None:
    """What the session has loaded of the chat stays as it was."""
    await session.execute(_CHANGE, {"of_chat_id": chat_id, **values})


async def remove(session: AsyncSession, *, chat_id: UUID) -> None:
    """Messages, turns and journal rows go with it."""
    # Turns first: whoever ends a turn locks its row and then the message, and the cascade would go the other
    # way round.
    await session.execute(text("DELETE FROM turn WHERE chat_id = :chat_id"), {"chat_id": chat_id})
    await session.execute(delete(ChatRow).where(ChatRow.id == chat_id))
