"""What each kind of turn writes when it starts: a new message with its reply, another reply, or a reply that
continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from shared.auth.principal import Principal
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment, Message, MessageCreate, MessageEventData, ReplyOptions
from shared.ids import uuid7
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats import service as chats
from chat_service.chats.models import ChatRow
from chat_service.messages import service as messages
from chat_service.messages.errors import AgentReplyEnded, NothingToContinue, ReplyFull, ReplyRunning
from chat_service.messages.models import MessageRow
from chat_service.references.service import ReplySources
from chat_service.settings import ChatSettings
from chat_service.streams.fold import Folded
from chat_service.turns.references import AuthorisedReferences
from chat_service.writing.specs import RunOrder, TurnSpec


class TurnPlan(Protocol):
    """Writes the rows of a turn in the caller's transaction; another process may not see them
    before its end.
    """

    async def write(self, session: AsyncSession, chat: ChatRow, authorised: AuthorisedReferences) -> TurnSpec:
        """Raises: ReferencesMissing, WindowMissing: before anything was written; AppError: the turn may not
        start.
        """
        ...


@dataclass(frozen=True, slots=True)
class MessageWithReply:
    """A message of a person and the reply to it. `content` is what is stored of the body's."""

    principal: Principal
    body: MessageCreate
    content: str
    settings: ChatSettings

    async def write(self, session: AsyncSession, chat: ChatRow, authorised: AuthorisedReferences) -> TurnSpec:
        body, siblings_max = self.body, self.settings.siblings_max
        follows_current = "parent_id" not in body.model_fields_set
        parent_id = chat.current_message_id if follows_current else body.parent_id
        above = await messages.check_parent(session, chat.id, parent_id)
        if not follows_current:
            await messages.check_versions(session, chat.id, parent_id, siblings_max=siblings_max)
        authorised.check(chat, body.attachments)
        model = _model(self.settings, authorised.agent, body.model, chat.model)
        authorised.check_window(model, self.content)
        above = replace(above, file_ids=self._branch_files(authorised.attachments, above.file_ids))
        said = messages.user_row(
            chat.id,
            parent_id=parent_id,
            content=self.content,
            attachments=authorised.attachments,
            above=above,
        )
        reply = messages.reply_row(
            chat.id,
            parent_id=said["id"],
            depth=above.depth + 2,
            model=model,
            turn_id=uuid7(),
            agent_id=chat.agent_id,
        )
        await messages.add(session, [said, reply])
        await chats.note_turn(session, chat, leaf_id=reply["id"], model=body.model, first_words=self.content)
        # A message that follows the current leaf is its first child; elsewhere it may have siblings.
        shown = await messages.view_stored(session, said, alone=follows_current, siblings_max=siblings_max)
        sources = ReplySources(tuple(chat.knowledge_base_ids), tuple(above.file_ids))
        return _new_reply(
            self.principal, shown, reply, options=_options(body), sources=sources, agent=authorised.agent
        )

    def _branch_files(self, attachments: Sequence[Attachment], above: Sequence[UUID]) -> tuple[UUID, ...]:
        """The files of a branch with those of its new message, newest first."""
        newest_first = dict.fromkeys([*(attachment.file_id for attachment in attachments), *above])
        return tuple(newest_first)[: self.settings.branch_files_max]


@dataclass(frozen=True, slots=True)
class OtherReply:
    """Another reply to the message that reply `message_id` answers."""

    principal: Principal
    message_id: UUID
    body: ReplyOptions
    settings: ChatSettings

    async def write(self, session: AsyncSession, chat: ChatRow, authorised: AuthorisedReferences) -> TurnSpec:
        old = await messages.get_reply(session, chat.id, self.message_id)
        await messages.check_versions(
            session, chat.id, old.parent_id, siblings_max=self.settings.siblings_max
        )
        authorised.check(chat)
        parent = await _asked(session, old)
        model = _model(self.settings, authorised.agent, self.body.model, chat.model, old.model)
        authorised.check_window(model, parent.content)
        depth = await messages.depth_of(session, parent) + 1
        reply = messages.reply_row(
            chat.id, parent_id=parent.id, depth=depth, model=model, turn_id=uuid7(), agent_id=chat.agent_id
        )
        await messages.add(session, [reply])
        await chats.note_turn(session, chat, leaf_id=reply["id"], model=None, first_words=None)
        shown = await messages.view_of(session, parent, siblings_max=self.settings.siblings_max)
        sources = ReplySources(tuple(chat.knowledge_base_ids), tuple(parent.branch_file_ids))
        return _new_reply(
            self.principal, shown, reply, options=_options(self.body), sources=sources, agent=authorised.agent
        )


@dataclass(frozen=True, slots=True)
class ContinuedReply:
    """A further turn of reply `message_id`, which ended early."""

    principal: Principal
    message_id: UUID
    body: ReplyOptions
    settings: ChatSettings

    async def write(self, session: AsyncSession, chat: ChatRow, authorised: AuthorisedReferences) -> TurnSpec:
        del authorised  # an agent's reply cannot be continued, and a message brought its files along before
        row = await messages.get_reply(session, chat.id, self.message_id, lock=True)
        _check_continuable(row, bytes_max=self.settings.reply_content_max_bytes)
        parent = await _asked(session, row)
        turn_id, first_id = uuid7(), (row.stream_to or 0) + 1
        model = _model(self.settings, None, self.body.model, row.model, chat.model)
        await messages.reopen(session, row, turn_id=turn_id, model=model, stream_from=first_id)
        await chats.note_turn(
            session, chat, leaf_id=chat.current_message_id or row.id, model=None, first_words=None
        )
        shown = await messages.view_of(session, parent, siblings_max=self.settings.siblings_max)
        return TurnSpec(
            turn_id=turn_id,
            chat_id=row.chat_id,
            message_id=row.id,
            principal=self.principal,
            model=model,
            leaf_id=row.id,
            first_event_id=first_id,
            message_event=_first_event(shown, row.id),
            options=_options(self.body),
            sources=ReplySources(tuple(chat.knowledge_base_ids), tuple(parent.branch_file_ids)),
            continues=bool(row.content),
            base=Folded(
                text=row.content,
                reasoning=row.reasoning,
                steps=tuple(row.steps),
                citations=tuple(row.citations),
                left_out=row.left_out,
            ),
        )


def _new_reply(
    principal: Principal,
    asked: Message,
    reply: dict[str, Any],
    *,
    options: dict[str, Any],
    sources: ReplySources,
    agent: Agent | None,
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
        run=None
        if agent is None
        else RunOrder(agent_id=agent.id, model=None if agent.model else reply["model"]),
    )


def _model(settings: ChatSettings, agent: Agent | None, *choices: str | None) -> str:
    """The agent's model, else the first choice there is, else the installation's."""
    named = None if agent is None else agent.model
    return named or next((choice for choice in choices if choice), settings.default_model)


def _options(body: MessageCreate | ReplyOptions) -> dict[str, Any]:
    """What the caller chose for the model."""
    chosen = {"max_tokens": body.max_tokens, "temperature": body.temperature}
    return {name: value for name, value in chosen.items() if value is not None}


def _first_event(asked: Message, reply_id: UUID) -> dict[str, Any]:
    return MessageEventData(message=asked, reply_id=reply_id).model_dump(mode="json")


async def _asked(session: AsyncSession, reply: MessageRow) -> MessageRow:
    """The message a reply answers; a reply always has one."""
    return await messages.get(session, reply.chat_id, reply.parent_id or reply.id)


def _check_continuable(row: MessageRow, *, bytes_max: int) -> None:
    if row.status == "streaming":
        raise ReplyRunning
    if row.status == "complete" and row.finish_reason != "length":
        raise NothingToContinue
    if row.agent_id is not None:
        raise AgentReplyEnded
    if len(row.content.encode()) >= bytes_max:
        raise ReplyFull(bytes_max)
