"""All SQL about chats."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats.models import ChatRow


async def add(session: AsyncSession, chat: ChatRow) -> None:
    session.add(chat)
    await session.flush()


async def get_own(session: AsyncSession, *, chat_id: UUID, user_id: UUID, lock: bool) -> ChatRow | None:
    """The chat when it is this user's; `lock` keeps other writers of the chat out until the transaction ends."""
    query = select(ChatRow).where(ChatRow.id == chat_id, ChatRow.user_id == user_id)
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


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
    await session.execute(update(ChatRow).where(ChatRow.id == chat_id).values(**values))


async def remove(session: AsyncSession, *, chat_id: UUID) -> None:
    """Messages, turns and journal rows go with it."""
    # Turns first: whoever ends a turn locks its row and then the message, and the cascade would go the other way round.
    await session.execute(text("DELETE FROM turn WHERE chat_id = :chat_id"), {"chat_id": chat_id})
    await session.execute(delete(ChatRow).where(ChatRow.id == chat_id))
