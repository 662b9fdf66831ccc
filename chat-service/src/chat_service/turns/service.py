"""Starting, continuing and stopping turns: all rows of a turn in one transaction, then a task that the process owns."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from shared.auth.principal import Principal
from shared.clients.windows import ModelWindows
from shared.clock import monotonic_s, utc_now
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment, Message, MessageCreate, ReplyOptions
from shared.db import Database
from shared.idempotency import Operation
from shared.ids import uuid7
from shared.wakeups import set_within
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.chats import service as chats
from chat_service.chats.models import ChatRow
from chat_service.messages import service as messages
from chat_service.messages.errors import AgentReplyEnded, ContentTooLarge, NothingToContinue, ReplyFull, ReplyRunning
from chat_service.messages.models import MessageRow
from chat_service.references.service import References, Sources
from chat_service.settings import ChatSettings
from chat_service.streams.cursor import Reply
from chat_service.streams.signals import Signals
from chat_service.turns import cancellations, repository, run_deletions
from chat_service.turns.cancellations import RunCancellations
from chat_service.turns.drafts import (
    Known,
    NotKnownError,
    Prepare,
    Reopened,
    WindowNotKnownError,
    continued_reply,
    new_reply,
    options_of,
)
from chat_service.turns.errors import ChatChanging, Draining, ProcessBusy, TooManyTurns
from chat_service.turns.histories import Histories
from chat_service.turns.run_deletions import RunDeletions
from chat_service.turns.runner import TurnRunner
from chat_service.turns.specs import TurnSpec
from shared import idempotency

_STOP_GRACE_S = 2.0
_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Started:
    """The reply of a turn and the id after which its events begin."""

    reply: Reply
    after: int


@dataclass(frozen=True, slots=True)
class KeyedWrite:
    """A request that may come again: its operation and its body as JSON."""

    operation: Operation
    body: bytes


@dataclass(frozen=True, slots=True)
class Others:
    """What turns need of other services."""

    references: References
    windows: ModelWindows
    cancellations: RunCancellations
    deletions: RunDeletions


class TurnService:
    """The rules of turns. One instance per process."""

    def __init__(
        self,
        database: Database,
        runner: TurnRunner,
        others: Others,
        *,
        histories: Histories,
        signals: Signals,
        settings: ChatSettings,
    ) -> None:
        self._database = database
        self._runner = runner
        self._references = others.references
        self._windows = others.windows
        self._histories = histories
        self._cancellations = others.cancellations
        self._run_deletions = others.deletions
        self._signals = signals
        self._settings = settings

    async def post(self, principal: Principal, chat_id: UUID, body: MessageCreate, *, write: KeyedWrite | None) -> Started:
        """Store the message with the reply that begins, and start it."""
        if len(body.content.encode("utf-8", "surrogatepass")) > self._settings.message_content_max_bytes:
            raise ContentTooLarge(self._settings.message_content_max_bytes)
        content = body.content.replace("\x00", "")  # PostgreSQL text cannot hold NUL

        async def prepare(session: AsyncSession, chat: ChatRow, known: Known) -> TurnSpec:
            follows_current = "parent_id" not in body.model_fields_set
            parent_id = chat.current_message_id if follows_current else body.parent_id
            above = await messages.check_parent(session, chat_id, parent_id)
            if not follows_current:
                await messages.check_versions(session, chat_id, parent_id, siblings_max=self._settings.siblings_max)
            known.check(chat, body.attachments)
            model = self._model(known.agent, body.model, chat.model)
            known.check_window(model, content)
            above = replace(above, file_ids=self._branch_files(known.attachments, above.file_ids))
            said = messages.user_row(chat_id, parent_id=parent_id, content=content, attachments=known.attachments, above=above)
            reply = messages.reply_row(
                chat_id, parent_id=said["id"], depth=above.depth + 2, model=model, turn_id=uuid7(), agent_id=chat.agent_id
            )
            await messages.add(session, [said, reply])
            await chats.note_turn(session, chat, leaf_id=reply["id"], model=body.model, first_words=content)
            # A message that follows the current leaf is its first child; elsewhere it may have siblings.
            shown = await messages.view_stored(session, said, alone=follows_current, siblings_max=self._settings.siblings_max)
            sources = Sources(tuple(chat.knowledge_base_ids), tuple(above.file_ids))
            return new_reply(principal, shown, reply, options=options_of(body), sources=sources, agent=known.agent)

        return await self._start(principal, chat_id, prepare, write=write)

    async def regenerate(
        self, principal: Principal, chat_id: UUID, message_id: UUID, body: ReplyOptions, *, write: KeyedWrite | None
    ) -> Started:
        """Another reply to the same message, as a sibling."""

        async def prepare(session: AsyncSession, chat: ChatRow, known: Known) -> TurnSpec:
            old = await messages.get_reply(session, chat_id, message_id)
            await messages.check_versions(session, chat_id, old.parent_id, siblings_max=self._settings.siblings_max)
            known.check(chat)
            parent = await self._asked(session, old)
            model = self._model(known.agent, body.model, chat.model, old.model)
            known.check_window(model, parent.content)
            depth = await messages.depth_of(session, parent) + 1
            reply = messages.reply_row(chat_id, parent_id=parent.id, depth=depth, model=model, turn_id=uuid7(), agent_id=chat.agent_id)
            await messages.add(session, [reply])
            await chats.note_turn(session, chat, leaf_id=reply["id"], model=None, first_words=None)
            shown = await messages.view_of(session, parent, siblings_max=self._settings.siblings_max)
            sources = Sources(tuple(chat.knowledge_base_ids), tuple(parent.branch_file_ids))
            return new_reply(principal, shown, reply, options=options_of(body), sources=sources, agent=known.agent)

        return await self._start(principal, chat_id, prepare, write=write)

    async def go_on(
        self, principal: Principal, chat_id: UUID, message_id: UUID, body: ReplyOptions, *, write: KeyedWrite | None
    ) -> Started:
        """A reply that was cut continues in the same message."""

        async def prepare(session: AsyncSession, chat: ChatRow, known: Known) -> TurnSpec:
            row = await messages.get_reply(session, chat_id, message_id, lock=True)
            _check_continuable(row, bytes_max=self._settings.reply_content_max_bytes)
            parent = await self._asked(session, row)
            turn_id, first_id = uuid7(), (row.stream_to or 0) + 1
            model = self._model(None, body.model, row.model, chat.model)
            await messages.reopen(session, row, turn_id=turn_id, model=model, stream_from=first_id)
            await chats.note_turn(session, chat, leaf_id=chat.current_message_id or row.id, model=None, first_words=None)
            shown = await messages.view_of(session, parent, siblings_max=self._settings.siblings_max)
            sources = Sources(tuple(chat.knowledge_base_ids), tuple(parent.branch_file_ids))
            reopened = Reopened(turn_id=turn_id, first_event_id=first_id, model=model)
            return continued_reply(principal, shown, row, reopened, options=options_of(body), sources=sources)

        return await self._start(principal, chat_id, prepare, write=write)

    async def stop(self, principal: Principal, chat_id: UUID, message_id: UUID) -> Message:
        """Stop the reply, wherever it is written; its text is kept. Stopping an ended reply changes nothing."""
        async with self._database.transaction() as session:
            await chats.own_chat(session, principal, chat_id)
            row = await messages.get_reply(session, chat_id, message_id)
            if row.status == "streaming" and row.turn_id is not None and await repository.request_stop(session, turn_id=row.turn_id):
                await cancellations.note(session, principal, row.id)
        if row.status == "streaming" and row.turn_id is not None:
            self._runner.stop(row.turn_id)
            self._cancellations.kick()
        return await self._ended(principal, row, wait_s=self._settings.stop_cost_wait_s + _STOP_GRACE_S)

    async def _ended(self, principal: Principal, row: MessageRow, *, wait_s: float) -> Message:
        """The reply once its turn has ended, or as it is after `wait_s`. The end of a turn wakes, wherever it is written."""
        deadline = monotonic_s() + wait_s
        with self._signals.wakeups.watch(row.turn_id or row.id) as changed:
            shown = await self.read(principal, row.chat_id, row.id)
            while shown.status == "streaming" and (left_s := deadline - monotonic_s()) > 0:
                changed.clear()
                # A lost signal costs a poll interval.
                await set_within(changed, min(left_s, self._settings.follow_poll_s))
                shown = await self.read(principal, row.chat_id, row.id)
        return shown

    async def delete_chat(self, principal: Principal, chat_id: UUID) -> None:
        """The chat with its messages and its runs; one that still writes in it is cancelled first."""
        async with self._database.transaction() as session:
            await chats.own_chat(session, principal, chat_id, lock=True)
            for run_id in await repository.running_runs(session, chat_id=chat_id):
                await cancellations.note(session, principal, run_id)
            run_ids = await messages.run_ids(session, chat_id=chat_id)
            await run_deletions.note(session, principal, chat_id, run_ids)
            await chats.delete(session, principal, chat_id)
        if run_ids:
            self._cancellations.kick()
            self._run_deletions.kick()

    async def read(self, principal: Principal, chat_id: UUID, message_id: UUID) -> Message:
        """A reply of the caller. Raises: ChatNotFound, MessageNotFound, NotReply."""
        async with self._database.transaction() as session:
            await chats.own_chat(session, principal, chat_id)
            row = await messages.get_reply(session, chat_id, message_id)
            return await messages.view_of(session, row, siblings_max=self._settings.siblings_max)

    async def _start(self, principal: Principal, chat_id: UUID, prepare: Prepare, *, write: KeyedWrite | None) -> Started:
        """Start the turn. What other services must authorise is asked for between two tries, so that no transaction waits for it."""
        known = Known()
        for _ in range(_TRIES_MAX):
            try:
                return await self._try_start(principal, chat_id, partial(prepare, known=known), write=write)
            except WindowNotKnownError as missing:
                window = await self._windows.window(principal, missing.model)
                known = replace(known, windows={**known.windows, missing.model: window})
            except NotKnownError as missing:
                known = replace(
                    known,
                    agent=None if missing.agent_id is None else await self._references.agent(principal, missing.agent_id),
                    attachments=await self._references.attachments(principal, missing.file_ids),
                )
        raise ChatChanging

    async def _try_start(
        self,
        principal: Principal,
        chat_id: UUID,
        prepare: Callable[[AsyncSession, ChatRow], Awaitable[TurnSpec]],
        *,
        write: KeyedWrite | None,
    ) -> Started:
        """Run `prepare` and add its turn in one transaction, then start it; a repeated write attaches to its first turn."""
        async with self._database.transaction() as session:
            chat = await chats.own_chat(session, principal, chat_id, lock=True)
            if write is not None and (first := await idempotency.begin(session, write.operation, body=write.body)) is not None:
                return _started_before(chat_id, first.body)
            await self._check_room(session, principal)
            spec = await prepare(session, chat)
            await repository.add(session, self._turn_values(spec), lease_s=self._settings.turn_lease_s)
            history = await self._histories.read_with(session, spec)
            started = Started(Reply(chat_id, spec.message_id), spec.first_event_id - 1)
            if write is not None:
                remembered = orjson.dumps({"message_id": str(spec.message_id), "after": started.after})
                await idempotency.finish(session, write.operation, status=200, body=remembered)
        self._runner.start(spec, history)
        return started

    def _model(self, agent: Agent | None, *choices: str | None) -> str:
        """The agent's model, else the first choice there is, else the installation's."""
        named = None if agent is None else agent.model
        return named or next((choice for choice in choices if choice), self._settings.default_model)

    def _branch_files(self, attachments: Sequence[Attachment], above: Sequence[UUID]) -> tuple[UUID, ...]:
        """The files of a branch with those of its new message, newest first."""
        newest_first = dict.fromkeys([*(attachment.file_id for attachment in attachments), *above])
        return tuple(newest_first)[: self._settings.branch_files_max]

    async def _check_room(self, session: AsyncSession, principal: Principal) -> None:
        if self._runner.draining:
            raise Draining
        if len(self._runner) >= self._settings.turns_running_max:
            raise ProcessBusy
        count_max = self._settings.turns_running_per_user_max
        if await repository.count_running(session, user_id=principal.actor_id, limit=count_max) >= count_max:
            raise TooManyTurns(count_max)

    async def _asked(self, session: AsyncSession, reply: MessageRow) -> MessageRow:
        """The message a reply answers; a reply always has one."""
        return await messages.get(session, reply.chat_id, reply.parent_id or reply.id)

    def _turn_values(self, spec: TurnSpec) -> dict[str, Any]:
        principal = spec.principal
        return {
            "id": spec.turn_id,
            "chat_id": spec.chat_id,
            "message_id": spec.message_id,
            "organisation_id": principal.organisation_id,
            "team_id": principal.team_id,
            "user_id": principal.actor_id,
            "key_id": principal.key_id,
            **_run_values(spec),
            "model": spec.model,
            "owner": self._runner.owner,
            "first_event_id": spec.first_event_id,
            "created_at": utc_now(),
        }


def _run_values(spec: TurnSpec) -> dict[str, Any]:
    """What another process needs to take a run over; a plain turn ends with its process."""
    if spec.run is None:
        return {"kind": "plain", "dispatch_id": str(spec.dispatch_id)}
    return {"kind": "agent", "agent_id": spec.run.agent_id, "principal": spec.principal.to_claims(), "request": spec.request()}


def _check_continuable(row: MessageRow, *, bytes_max: int) -> None:
    if row.status == "streaming":
        raise ReplyRunning
    if row.status == "complete" and row.finish_reason != "length":
        raise NothingToContinue
    if row.agent_id is not None:
        raise AgentReplyEnded
    if len(row.content.encode()) >= bytes_max:
        raise ReplyFull(bytes_max)


def _started_before(chat_id: UUID, answer: bytes) -> Started:
    remembered = orjson.loads(answer)
    return Started(Reply(chat_id, UUID(remembered["message_id"])), int(remembered["after"]))
