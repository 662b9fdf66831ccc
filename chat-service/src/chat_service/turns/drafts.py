"""From rows and options to the spec of a turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from shared.auth import Principal
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment, Message, MessageCreate, MessageEventData, ReplyOptions
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats.models import ChatRow
from chat_service.messages.models import MessageRow
from chat_service.references.service import Sources
from chat_service.turns.specs import RunOrder, TurnSpec


class NotKnownError(Exception):
    """A turn needs objects of other services that were not asked for yet; its transaction must end first."""

    def __init__(self, *, agent_id: UUID | None, file_ids: Sequence[UUID]) -> None:
        super().__init__("objects of other services are not known yet")
        self.agent_id = agent_id
        self.file_ids = file_ids


@dataclass(frozen=True, slots=True)
class Known:
    """Objects of other services that the caller may use, asked for before the transaction."""

    agent: Agent | None = None
    attachments: Sequence[Attachment] = ()

    def check(self, chat: ChatRow, file_ids: Sequence[UUID] = ()) -> None:
        """Raises: NotKnownError unless these are the chat's agent and the files `file_ids`."""
        agent_id = None if self.agent is None else self.agent.id
        if agent_id != chat.agent_id or {attachment.file_id for attachment in self.attachments} != set(file_ids):
            raise NotKnownError(agent_id=chat.agent_id, file_ids=file_ids)


class Prepare(Protocol):
    """Adds the rows of a turn within the transaction; another process may not see them before its end."""

    async def __call__(self, session: AsyncSession, chat: ChatRow, known: Known) -> TurnSpec: ...


@dataclass(frozen=True, slots=True)
class Reopened:
    """The turn in which a reply goes on."""

    turn_id: UUID
    first_event_id: int
    model: str


def new_reply(
    principal: Principal, asked: Message, reply: dict[str, Any], *, options: dict[str, Any], sources: Sources, agent: Agent | None
) -> TurnSpec:
    """The first turn of `reply` (its row) to `asked`."""
    return TurnSpec(
        turn_id=reply["turn_id"],
        chat_id=asked.chat_id,
        message_id=reply["id"],
        principal=principal,
        model=reply["model"],
        leaf_id=asked.id,
        first_event_id=1,
        message_event=_first_event(asked, reply["id"]),
        options=options,
        sources=sources,
        run=None if agent is None else RunOrder(agent_id=agent.id, model=None if agent.model else reply["model"]),
    )


def continued_reply(
    principal: Principal, asked: Message, row: MessageRow, turn: Reopened, *, options: dict[str, Any], sources: Sources
) -> TurnSpec:
    """A further turn of the reply in `row`."""
    return TurnSpec(
        turn_id=turn.turn_id,
        chat_id=row.chat_id,
        message_id=row.id,
        principal=principal,
        model=turn.model,
        leaf_id=row.id,
        first_event_id=turn.first_event_id,
        message_event=_first_event(asked, row.id),
        options=options,
        sources=sources,
        go_on=bool(row.content),
        base_text=row.content,
        base_steps=row.steps,
        base_citations=row.citations,
    )


def options_of(body: MessageCreate | ReplyOptions) -> dict[str, Any]:
    """What the caller chose for the model."""
    chosen = {"max_tokens": body.max_tokens, "temperature": body.temperature}
    return {name: value for name, value in chosen.items() if value is not None}


def _first_event(asked: Message, reply_id: UUID) -> dict[str, Any]:
    return MessageEventData(message=asked, reply_id=reply_id).model_dump(mode="json")
