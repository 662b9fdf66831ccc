"""HTTP of reading messages; turns write them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.chat import Message
from shared.dependencies import SessionDep
from shared.pagination import Limit, Page

from chat_service.chats import service as chats
from chat_service.chats.addresses import ChatId
from chat_service.chats.dependencies import SettingsDep
from chat_service.messages import service

Reader = Annotated[Principal, Depends(require(Permission.CHATS_READ))]
Before = Annotated[UUID | None, Query(description="first message already seen; the page ends right above it")]

router = APIRouter(prefix="/api/v1/chats/{chat_id}/messages", tags=["messages"])


@router.get("", summary="The active branch, root first: its last messages, or those above `before`")
async def read_branch(
    chat_id: ChatId,
    session: SessionDep,
    principal: Reader,
    settings: SettingsDep,
    limit: Limit = 50,
    before: Before = None,
) -> Page[Message]:
    chat = await chats.own_chat(session, principal, chat_id)
    return await service.branch_page(
        session,
        chat_id=chat_id,
        leaf_id=chat.current_message_id,
        before=before,
        limit=limit,
        siblings_max=settings.siblings_max,
    )


@router.get("/{message_id}", summary="One message")
async def read_message(
    chat_id: ChatId, message_id: UUID, session: SessionDep, principal: Reader, settings: SettingsDep
) -> Message:
    await chats.own_chat(session, principal, chat_id)
    row = await service.get(session, chat_id, message_id)
    return await service.view_of(session, row, siblings_max=settings.siblings_max)
