"""A running agent turn from its rows, for the process that continues with it."""

import logging
from uuid import UUID

from shared.auth.principal import Principal
from shared.contracts.chat import LeftOutEventData
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.references.service import ReplySources
from chat_service.streams.cursor import message_event
from chat_service.writing.models import TurnRow
from chat_service.writing.specs import RunOrder, TurnSpec

log = logging.getLogger(__name__)


async def spec_of(session: AsyncSession, turn: TurnRow, *, siblings_max: int) -> TurnSpec | None:
    """The turn as its first process knew it; None when its rows do not say enough."""
    reply = await messages.find(session, turn.chat_id, turn.message_id)
    if (
        reply is None
        or reply.parent_id is None
        or turn.agent_id is None
        or turn.request is None
        or turn.principal is None
    ):
        return None
    try:
        principal = Principal.from_claims(turn.principal)
    except (KeyError, ValueError):
        log.exception("the person of a turn cannot be rebuilt", extra={"turn_id": str(turn.id)})
        return None
    request = turn.request
    return TurnSpec(
        turn_id=turn.id,
        chat_id=turn.chat_id,
        message_id=turn.message_id,
        principal=principal,
        model=turn.model,
        leaf_id=reply.parent_id,
        first_event_id=turn.first_event_id,
        message_event=await message_event(session, reply, siblings_max=siblings_max),
        options=request["options"],
        sources=ReplySources(
            knowledge_base_ids=tuple(UUID(text) for text in request["knowledge_base_ids"]),
            file_ids=tuple(UUID(text) for text in request["file_ids"]),
        ),
        run=RunOrder(agent_id=turn.agent_id, model=request["model"]),
        left_out=None if reply.left_out is None else LeftOutEventData.model_validate(reply.left_out),
    )
