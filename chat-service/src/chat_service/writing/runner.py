"""The process's running turns: each a tracked task that outlives every reader, ended by its writer, a stop or
a shutdown.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from shared.access import AccessEnd
from shared.background import TaskTracker
from shared.clock import monotonic_s
from shared.contracts.chat import MessageError
from shared.db import Database
from shared.metrics import Metrics
from shared.outages import is_outage
from shared.replies.failures import internal_error
from shared.replies.stopping import WorkEndedError, WorkScope, end_reason_of
from sqlalchemy.exc import SQLAlchemyError

from chat_service.messages.service import ReplyEnding
from chat_service.settings import ChatSettings
from chat_service.streams import repository as journal_rows
from chat_service.streams.fold import body_events, fold
from chat_service.streams.journal import Journal
from chat_service.streams.live import Chunk, Event, LiveReply
from chat_service.writing import repository
from chat_service.writing.closing import Closing, ended_for
from chat_service.writing.costs import Costs
from chat_service.writing.plain import PlainWriter
from chat_service.writing.relay import AgentRelay
from chat_service.writing.repository import Asked
from chat_service.writing.specs import NEEDED, Read, Running, TurnFailedError, TurnSpec, kind_of

_STORE_AGAIN_S = 0.5
_STORE_WAIT_MAX_S = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Writers:
    """Who writes a reply: the model alone, or an agent."""

    plain: PlainWriter
    relay: AgentRelay

    async def write(self, running: Running) -> ReplyEnding:
        """Raises: TurnFailedError."""
        order = running.spec.run
        return await (self.plain.write(running) if order is None else self.relay.write(running, order))


class TurnRunner:
    """Owns this process's turns."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        *,
        writers: Writers,
        closing: Closing,
        costs: Costs,
        tasks: TaskTracker,
        metrics: Metrics,
        settings: ChatSettings,
    ) -> None:
        self._database = database
        self._journal = journal
        self._writers = writers
        self._closing = closing
        self._costs = costs
        self._tasks = tasks
        self._settings = settings
        self._running: dict[UUID, Running] = {}
        self._ended = metrics.counter("chat_turns", "Turns that ended in this process", ("status",))
        metrics.gauge("chat_turns_running", "Turns under way in this process").set_function(
            lambda: len(self._running)
        )
        self.owner = journal.owner
        journal.on_lost = self._mark_lost
        self.draining = False

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, turn_id: UUID) -> bool:
        return turn_id in self._running

    @property
    def full(self) -> bool:
        """Whether this process takes no more turns at the moment."""
        return self.draining or len(self) >= self._settings.turns_running_max

    def start(self, spec: TurnSpec, history: Read | None) -> None:
        """Begin a turn whose rows are committed. Followers find it in the journal's `replies` from now on."""
        running = self._new(spec)
        running.history = history
        self._spawn(running)

    @property
    def turn_ids(self) -> list[UUID]:
        """The turns under way."""
        return list(self._running)

    def resume(self, spec: TurnSpec, *, known: Sequence[Event], asked: Asked) -> None:
        """Continue with a run whose process died, after the events that are `known`."""
        running = self._new(spec)
        running.live.restore(known)
        running.run = "started"
        running.reader.restore(known)
        _heed(running, asked)
        self._spawn(running)

    def _new(self, spec: TurnSpec) -> Running:
        live = LiveReply(
            turn_id=spec.turn_id,
            message_id=spec.message_id,
            first_id=spec.first_event_id,
            base_text=spec.base.text,
            base_events=body_events(spec.base, event_id=spec.first_event_id),
            relayed=spec.run is not None,
        )
        live.emit("message", dict(spec.message_event))
        # A stopped run gets time to end by itself.
        scope = WorkScope(stop_wait_s=0.0 if spec.run is None else self._settings.agent_stop_wait_s)
        return Running(spec=spec, live=live, scope=scope)

    def _spawn(self, running: Running) -> None:
        self._running[running.spec.turn_id] = running
        self._journal.replies[running.spec.message_id] = running.live
        self._tasks.spawn(self._run(running), name=f"turn {running.spec.turn_id}")

    def stop(self, turn_id: UUID) -> None:
        """Stop a turn if it is this process's."""
        if (running := self._running.get(turn_id)) is not None:
            running.scope.end("stopped")

    def end_access(self, end: AccessEnd) -> None:
        """End this process's turns of a person or key that lost access."""
        for running in list(self._running.values()):
            if any(
                end.covers(running.spec.principal, permission) for permission in NEEDED[kind_of(running.spec)]
            ):
                running.scope.end_access(end.reason)

    def _mark_lost(self, live: LiveReply) -> None:
        """Another process (or the chat's deletion) ended the turn: write nothing more."""
        if (running := self._running.get(live.turn_id)) is not None:
            running.scope.end("owner_lost")

    async def heartbeat(self) -> None:
        """Renew the lease of every running turn, and see which are to stop."""
        if not self._running:
            return
        asked = list(self._running)
        async with self._database.transaction() as session:
            owned = await repository.renew(
                session, turn_ids=asked, owner=self._journal.owner, lease_s=self._settings.turn_lease_s
            )
        for turn_id in asked:
            running = self._running.get(turn_id)
            if running is None or running.live.sealed:
                continue
            if turn_id not in owned:
                running.scope.end("owner_lost")
            else:
                _heed(running, owned[turn_id])

    async def drain(self, timeout_s: float) -> None:
        """Take no more turns, give those that run `timeout_s`, then interrupt them; runs go on and are left
        to another process.
        """
        self.draining = True
        deadline = monotonic_s() + timeout_s
        while self._running and monotonic_s() < deadline:  # noqa: ASYNC110 - once a process
            await asyncio.sleep(0.05)
        for running in list(self._running.values()):
            running.scope.end("interrupted" if running.spec.run is None else "released")

    async def _run(self, running: Running) -> None:
        ending: ReplyEnding | None = None
        try:
            ending = await self._write(running)
        finally:
            # Also after a cancellation at shutdown: what was written must be stored and marked, a run left to
            # another process.
            is_released = running.scope.cause == "released" or (
                ending is None and running.spec.run is not None
            )
            released = is_released and running.run != "ended"
            ending = ending or ReplyEnding("interrupted")
            try:
                await (self._release(running) if released else self._finish(running, ending))
            finally:
                # Whatever went wrong: a turn that stays here is renewed for ever, and nobody else may end it.
                self._running.pop(running.spec.turn_id, None)
                self._detach(running.live, [])
            self._ended.labels("released" if released else ending.status).inc()

    async def _write(self, running: Running) -> ReplyEnding:
        plain = running.spec.run is None
        limit_s = self._settings.turn_duration_max_s if plain else self._settings.agent_turn_duration_max_s
        try:
            return await running.scope.run(partial(self._writers.write, running), timeout_s=limit_s)
        except TurnFailedError as failure:
            return ReplyEnding("failed", error=failure.error)
        except WorkEndedError as ended:
            return _ending_of(ended, limit_s)
        except Exception:
            # The edge of the task: the person sees that it failed, the log says why.
            log.exception("a turn failed")
            return ReplyEnding("failed", error=internal_error())

    async def _finish(self, running: Running, ending: ReplyEnding) -> None:
        live = running.live
        usage = running.reader.usage or running.answer.usage
        if usage is None and running.answer.dispatch_id is not None and running.stopped:
            usage = await self._costs.ask_for(running.answer.dispatch_id, self._settings.stop_cost_wait_s)
        folded = fold(live.events)
        ending = replace(
            ending,
            text=folded.text,
            reasoning=folded.reasoning,
            steps=folded.steps,
            citations=folded.citations,
            left_out=folded.left_out,
            usage=usage,
        )
        chunks = await self._journal.seal(live)
        deadline = monotonic_s() + _STORE_WAIT_MAX_S
        stored: list[Event] | None = None
        while stored is None:
            try:
                stored = await self._closing.store(running, ending, chunks)
            except Exception as error:
                # What the database refuses it refuses again; while it is away, what was shown since is in
                # this process alone.
                if not is_outage(error) or monotonic_s() > deadline:
                    log.exception(
                        "the end of a reply could not be stored; the sweeper ends it from the journal"
                    )
                    break
                await asyncio.sleep(_STORE_AGAIN_S)
        self._detach(live, stored or [])

    async def _release(self, running: Running) -> None:
        """Leave the turn to another process, which continues after what the journal has."""
        chunks = await self._journal.seal(running.live)
        try:
            await self._store_released(running.live, chunks)
        except (SQLAlchemyError, OSError, TimeoutError):
            log.exception("a turn could not be released; it is taken over when its lease ends")
        self._detach(running.live, [])

    async def _store_released(self, live: LiveReply, chunks: Sequence[Chunk]) -> None:
        async with self._database.transaction() as session:
            if chunks:
                await journal_rows.write(session, chunks, owner=self.owner)
            await repository.release(session, turn_id=live.turn_id, owner=self.owner)

    def _detach(self, live: LiveReply, last: list[Event]) -> None:
        if self._journal.replies.get(live.message_id) is live:
            del self._journal.replies[live.message_id]
        live.append(last)
        live.close()


def _heed(running: Running, asked: Asked) -> None:
    """Do what was asked of the turn in its row."""
    if (reason := end_reason_of(asked.end_reason)) is not None:
        running.scope.end_access(reason)
    elif asked.stop:
        running.scope.end("stopped")


def _ending_of(ended: WorkEndedError, limit_s: float) -> ReplyEnding:
    """How a turn ends that was ended from outside."""
    if ended.access is not None:
        return ended_for(ended.access)
    if ended.cause == "timed_out":
        detail = f"the reply took longer than {limit_s:g} s and was ended"
        return ReplyEnding("failed", error=MessageError(code="turn_too_long", detail=detail, status=504))
    return ReplyEnding("stopped" if ended.cause == "stopped" else "interrupted")
