"""From rows and options to the spec of a turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.windows import ANSWER_SHARE, Window
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment, Message, MessageCreate, MessageEventData, ReplyOptions
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats.models import ChatRow
from chat_service.messages.errors import MessageTooLong
from chat_service.messages.models import MessageRow
from chat_service.references.service import Sources
from chat_service.streams.fold import Folded
from chat_service.turns.specs import RunOrder, TurnSpec

_SURELY_READ_BYTES = 4096
"""A message of this size fits every model worth the name; its window need not be asked for."""

BYTES_PER_TOKEN_MOST = 4
"""Text in a language that tokenizers know well. What has fewer bytes a token and passes here is refused by its provider."""


class NotKnownError(Exception):
    """A turn needs objects of other services that were not asked for yet; its transaction must end first."""

    def __init__(self, *, agent_id: UUID | None, file_ids: Sequence[UUID]) -> None:
        super().__init__("objects of other services are not known yet")
        self.agent_id = agent_id
        self.file_ids = file_ids


class WindowNotKnownError(Exception):
    """A turn needs to know how much its model reads; its transaction must end first."""

    def __init__(self, model: str) -> None:
        super().__init__(f"how much {model} reads is not known yet")
        self.model = model


@dataclass(frozen=True, slots=True)
class Known:
    """Objects of other services that the caller may use, asked for before the transaction."""

    agent: Agent | None = None
    attachments: Sequence[Attachment] = ()
    windows: Mapping[str, Window] = field(default_factory=dict[str, Window])

    def check_window(self, model: str, content: str) -> None:
        """A message is refused that the model could not read even alone; only a window that somebody named counts.

        Raises: MessageTooLong, WindowNotKnownError.
        """
        size_bytes = len(content.encode())
        if size_bytes <= _SURELY_READ_BYTES:
            return
        window = self.windows.get(model)
        if window is None:
            raise WindowNotKnownError(model)
        tokens, tokens_max = size_bytes // BYTES_PER_TOKEN_MOST, window.context_tokens - window.context_tokens // ANSWER_SHARE
        if window.known and tokens > tokens_max:
            raise MessageTooLong(model=model, tokens=tokens, tokens_max=tokens_max)

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
    """The turn in which a reply continues."""

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
        continues=bool(row.content),
        base=Folded(
            text=row.content, reasoning=row.reasoning, steps=tuple(row.steps), citations=tuple(row.citations), left_out=row.left_out
        ),
    )


def options_of(body: MessageCreate | ReplyOptions) -> dict[str, Any]:
    """What the caller chose for the model."""
    chosen = {"max_tokens": body.max_tokens, "temperature": body.temperature}
    return {name: value for name, value in chosen.items() if value is not None}


def _first_event(asked: Message, reply_id: UUID) -> dict[str, Any]:
    return MessageEventData(message=asked, reply_id=reply_id).model_dump(mode="json")
