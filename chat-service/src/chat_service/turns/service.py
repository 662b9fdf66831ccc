"""Starting, continuing and stopping turns: all rows of a turn in one transaction, then a task that the
process owns.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.windows import ModelWindows
from shared.clock import monotonic_s, utc_now
from shared.contracts.chat import Message, MessageCreate, ReplyOptions
from shared.db import Database
from shared.idempotency import KeyedWrite
from shared.wakeups import set_within
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agent_runs import cancellations, deletions
from chat_service.agent_runs.cancellations import RunCancellations
from chat_service.agent_runs.deletions import RunDeletions
from chat_service.chats import service as chats
from chat_service.messages import service as messages
from chat_service.messages.errors import ContentTooLarge
from chat_service.messages.models import MessageRow
from chat_service.references.service import References
from chat_service.settings import ChatSettings
from chat_service.streams.cursor import Reply
from chat_service.streams.signals import Signals
from chat_service.turns import repository
from chat_service.turns.errors import ChatChanging, Draining, ProcessBusy, TooManyTurns
from chat_service.turns.plans import ContinuedReply, MessageWithReply, OtherReply, TurnPlan
from chat_service.turns.references import AuthorisedReferences, ReferencesMissing, WindowMissing
from chat_service.writing.histories import Histories
from chat_service.writing.runner import TurnRunner
from chat_service.writing.specs import Read, TurnSpec

_STOP_GRACE_S = 2.0
_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Started:
    """The reply of a turn and the id after which its events begin."""

    reply: Reply
    after: int


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

    async def post(
        self, principal: Principal, chat_id: UUID, body: MessageCreate, *, write: KeyedWrite | None
    ) -> Started:
        """Store the message with the reply that begins, and start it."""
        if len(body.content.encode("utf-8", "surrogatepass")) > self._settings.message_content_max_bytes:
            raise ContentTooLarge(self._settings.message_content_max_bytes)
        content = body.content.replace("\x00", "")  # PostgreSQL text cannot hold NUL
        return await self._start(
            principal, chat_id, MessageWithReply(principal, body, content, self._settings), write=write
        )

    async def regenerate(
        self,
        principal: Principal,
        chat_id: UUID,
        message_id: UUID,
        body: ReplyOptions,
        *,
        write: KeyedWrite | None,
    ) -> Started:
        """Another reply to the same message, as a sibling."""
        return await self._start(
            principal, chat_id, OtherReply(principal, message_id, body, self._settings), write=write
        )

    async def continue_reply(
        self,
        principal: Principal,
        chat_id: UUID,
        message_id: UUID,
        body: ReplyOptions,
        *,
        write: KeyedWrite | None,
    ) -> Started:
        """A reply that ended early continues in the same message."""
        return await self._start(
            principal, chat_id, ContinuedReply(principal, message_id, body, self._settings), write=write
        )

    async def stop(self, principal: Principal, chat_id: UUID, message_id: UUID) -> Message:
        """Stop the reply, wherever it is written; its text is kept. Stopping an ended reply changes
        nothing.
        """
        async with self._database.transaction() as session:
            await chats.own_chat(session, principal, chat_id)
            row = await messages.get_reply(session, chat_id, message_id)
            if (
                row.status == "streaming"
                and row.turn_id is not None
                and await repository.request_stop(session, turn_id=row.turn_id)
            ):
                await cancellations.note(session, principal, row.id)
        if row.status == "streaming" and row.turn_id is not None:
            self._runner.stop(row.turn_id)
            self._cancellations.kick()
        return await self._ended(principal, row, wait_s=self._settings.stop_cost_wait_s + _STOP_GRACE_S)

    async def _ended(self, principal: Principal, row: MessageRow, *, wait_s: float) -> Message:
        """The reply once its turn has ended, or as it is after `wait_s`. The end of a turn wakes, wherever it
        is written.
        """
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
            await deletions.note(session, principal, chat_id, run_ids)
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

    async def _start(
        self, principal: Principal, chat_id: UUID, plan: TurnPlan, *, write: KeyedWrite | None
    ) -> Started:
        """Authorise what the turn refers to, then write its rows and start it.

        What it refers to stands in the chat, so writing is tried first: most turns need nothing authorised.
        No transaction is open while other services are asked.
        """
        authorised = AuthorisedReferences()
        for _ in range(_TRIES_MAX):
            try:
                spec, history, started = await self._write(principal, chat_id, plan, authorised, write=write)
            except ReferencesMissing as missing:
                agent = (
                    None
                    if missing.agent_id is None
                    else await self._references.agent(principal, missing.agent_id)
                )
                attachments = await self._references.attachments(principal, missing.file_ids)
                authorised = replace(authorised, agent=agent, attachments=attachments)
            except WindowMissing as missing:
                window = await self._windows.window(principal, missing.model)
                authorised = replace(authorised, windows={**authorised.windows, missing.model: window})
            else:
                if spec is not None:
                    self._runner.start(spec, history)
                return started
        raise ChatChanging

    async def _write(
        self,
        principal: Principal,
        chat_id: UUID,
        plan: TurnPlan,
        authorised: AuthorisedReferences,
        *,
        write: KeyedWrite | None,
    ) -> tuple[TurnSpec | None, Read | None, Started]:
        """All rows of the turn in one transaction; no spec for a repeated write, which attaches to its first
        turn.
        """
        async with self._database.transaction() as session:
            chat = await chats.own_chat(session, principal, chat_id, lock=True)
            if write is not None and (first := await write.first(session)) is not None:
                return None, None, Started(Reply(chat_id, UUID(first["message_id"])), int(first["after"]))
            await self._check_room(session, principal)
            spec = await plan.write(session, chat, authorised)
            await repository.add(session, self._turn_values(spec), lease_s=self._settings.turn_lease_s)
            history = await self._histories.read_with(session, spec)
            started = Started(Reply(chat_id, spec.message_id), spec.first_event_id - 1)
            if write is not None:
                await write.remember(session, {"message_id": str(spec.message_id), "after": started.after})
        return spec, history, started

    async def _check_room(self, session: AsyncSession, principal: Principal) -> None:
        if self._runner.draining:
            raise Draining
        if len(self._runner) >= self._settings.turns_running_max:
            raise ProcessBusy
        count_max = self._settings.turns_running_per_user_max
        if await repository.count_running(session, user_id=principal.actor_id, limit=count_max) >= count_max:
            raise TooManyTurns(count_max)

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
    return {
        "kind": "agent",
        "agent_id": spec.run.agent_id,
        "principal": spec.principal.to_claims(),
        "request": spec.request(),
    }
