"""HTTP of chats."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.chat import Chat, ChatCreate, ChatPatch
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Once
from shared.pagination import After, Limit, Page

from chat_service.chats import service
from chat_service.chats.addresses import ChatId
from chat_service.chats.dependencies import ReferencesDep
from chat_service.chats.errors import NoSuchChange
from chat_service.messages import service as messages

Reader = Annotated[Principal, Depends(require(Permission.CHATS_READ))]
Writer = Annotated[Principal, Depends(require(Permission.CHATS_WRITE))]

router = APIRouter(prefix="/api/v1/chats", tags=["chats"])


@router.post("", status_code=201, summary="Make a chat", response_model=Chat)
async def create_chat(
    body: ChatCreate,
    session: SessionDep,
    principal: Writer,
    references: ReferencesDep,
    key: IdempotencyKey = None,
) -> Response:
    # Before the session's first statement: no connection is held while other services are asked.
    await references.check_chat(principal, knowledge_base_ids=body.knowledge_base_ids, agent_id=body.agent_id)
    once = Once(session, key, principal=principal.actor_id, route=router.prefix, body=body)
    if first := await once.first():
        return first
    return await once.answer(service.view(await service.create(session, principal, body)))


@router.get("", summary="Your chats, latest activity first")
async def list_chats(
    session: SessionDep,
    principal: Reader,
    limit: Limit = 50,
    after: After = None,
    archived: Annotated[bool, Query(description="the archive instead of the list")] = False,
) -> Page[Chat]:
    return await service.list_page(session, principal, archived=archived, after=after, limit=limit)


@router.get("/{chat_id}", summary="One chat")
async def read_chat(chat_id: ChatId, session: SessionDep, principal: Reader) -> Chat:
    return service.view(await service.own_chat(session, principal, chat_id))


@router.patch(
    "/{chat_id}", summary="Rename, archive, choose the model, the knowledge, the agent or the branch"
)
async def patch_chat(
    chat_id: ChatId, body: ChatPatch, session: SessionDep, principal: Writer, references: ReferencesDep
) -> Chat:
    await references.check_chat(
        principal, knowledge_base_ids=body.knowledge_base_ids or [], agent_id=body.agent_id
    )
    chat = await service.own_chat(session, principal, chat_id, lock=True)
    values = {name: getattr(body, name) for name in body.model_fields_set}
    if "archived" in values and values["archived"] is None:
        raise NoSuchChange("archived is true or false")
    if "knowledge_base_ids" in values:
        if body.knowledge_base_ids is None:
            raise NoSuchChange("knowledge_base_ids is a list; an empty one takes all knowledge away")
        values["knowledge_base_ids"] = list(dict.fromkeys(body.knowledge_base_ids))
    if "current_message_id" in values:
        if body.current_message_id is None:
            raise NoSuchChange("current_message_id names a message of this chat")
        values["current_message_id"] = await messages.newest_leaf(session, chat_id, body.current_message_id)
    return service.view(await service.patch(session, chat, values))
