"""Rules about chats, and the one place that decides whether a chat may be touched."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.contracts.chat import Chat, ChatCreate
from shared.ids import uuid7
from shared.pagination import CursorInvalid, Page
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats import repository
from chat_service.chats.errors import ChatNotFound
from chat_service.chats.models import ChatRow
from chat_service.chats.titles import UNTITLED, title_from

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def view(row: ChatRow) -> Chat:
    """The chat as the API shows it."""
    return Chat(
        id=row.id,
        title=row.title or UNTITLED,
        model=row.model,
        current_message_id=row.current_message_id,
        archived=row.archived,
        knowledge_base_ids=row.knowledge_base_ids,
        agent_id=row.agent_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def own_chat(
    session: AsyncSession, principal: Principal, chat_id: UUID, *, lock: bool = False
) -> ChatRow:
    """The chat, if it is the caller's: everything about a chat, its messages and its streams goes through
    here.

    Raises:
        ChatNotFound: it does not exist or belongs to someone else.
    """
    row = await repository.get_own(session, chat_id=chat_id, user_id=principal.actor_id, lock=lock)
    if row is None:
        raise ChatNotFound
    return row


async def create(session: AsyncSession, principal: Principal, body: ChatCreate) -> ChatRow:
    """A new chat. The caller has authorised the ids in `body` (references.service)."""
    now = utc_now()
    row = ChatRow(
        id=uuid7(),
        organisation_id=principal.organisation_id,
        team_id=principal.team_id,
        user_id=principal.actor_id,
        title=body.title,
        model=body.model,
        current_message_id=None,
        archived=False,
        knowledge_base_ids=list(dict.fromkeys(body.knowledge_base_ids)),
        agent_id=body.agent_id,
        created_at=now,
        updated_at=now,
    )
    await repository.add(session, row)
    return row


async def list_page(
    session: AsyncSession, principal: Principal, *, archived: bool, after: str | None, limit: int
) -> Page[Chat]:
    """One page, latest activity first. Raises: CursorInvalid, ChatNotFound."""
    before = None if after is None else await _position(session, principal, after)
    rows = await repository.list_own(
        session, user_id=principal.actor_id, archived=archived, before=before, limit=limit + 1
    )
    shown = rows[:limit]
    last_id = _cursor(shown[-1]) if shown else None
    return Page[Chat](data=[view(row) for row in shown], has_more=len(rows) > limit, last_id=last_id)


def _cursor(row: ChatRow) -> str:
    """The row's place in the list: activity moves a chat, so its id alone would not say where the
    page ended.
    """
    micros = (row.updated_at - _EPOCH) // timedelta(microseconds=1)
    return f"{row.id}.{micros}"


async def _position(session: AsyncSession, principal: Principal, after: str) -> tuple[datetime, UUID]:
    """A cursor's place; a bare chat id stands for where that chat is now."""
    text_id, _, micros = after.partition(".")
    try:
        chat_id = UUID(text_id)
        if micros:
            return _EPOCH + timedelta(microseconds=int(micros)), chat_id
    except (ValueError, OverflowError):
        raise CursorInvalid from None
    row = await own_chat(session, principal, chat_id)
    return row.updated_at, row.id


async def patch(session: AsyncSession, chat: ChatRow, values: dict[str, Any]) -> ChatRow:
    """Change a locked chat. Renaming and archiving are no activity: the list keeps its order."""
    if values:
        await repository.change(session, chat_id=chat.id, values=values)
        await session.refresh(chat)
    return chat


async def note_turn(
    session: AsyncSession, chat: ChatRow, *, leaf_id: UUID, model: str | None, first_words: str | None
) -> None:
    """A turn began: its reply is the current leaf, the chat moves up, and an untitled chat gets its first
    words.
    """
    values: dict[str, Any] = {"current_message_id": leaf_id, "updated_at": utc_now()}
    if model is not None:
        values["model"] = model
    if chat.title is None and first_words is not None:
        values["title"] = title_from(first_words)
    await repository.change(session, chat_id=chat.id, values=values)


async def delete(session: AsyncSession, principal: Principal, chat_id: UUID) -> None:
    """A reply that still streams loses its turn row with the chat, which ends it at its next journal write.

    turns.service sees to its run.
    """
    await own_chat(session, principal, chat_id, lock=True)
    await repository.remove(session, chat_id=chat_id)
