"""The process's running turns: each a tracked task that outlives every reader, ended by the model, a stop or a shutdown."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from shared.auth import Principal
from shared.background import TaskTracker
from shared.clients.completions import CompletionRefusedError, Completions, Dispatched, Finished, ModelNotReadyError, Text, ToolCallPiece
from shared.clock import monotonic_s
from shared.contracts.chat import MessageError, MessageUsage
from shared.db import Database
from shared.http import UpstreamConnectError, UpstreamError, UpstreamTimeout
from shared.metrics import Metrics
from sqlalchemy.exc import SQLAlchemyError

from chat_service.messages import service as messages
from chat_service.messages.history import BYTES_PER_TOKEN, fit, to_prompt
from chat_service.messages.service import Ending
from chat_service.settings import ChatSettings
from chat_service.streams import repository as journal_rows
from chat_service.streams.journal import Journal
from chat_service.streams.live import Chunk, Event, LiveReply, chunks_of, data_event
from chat_service.streams.service import error_data
from chat_service.turns import repository
from chat_service.turns.costs import Costs
from chat_service.turns.windows import ModelWindows

_CONNECT_AGAIN_S = 0.5
_RETRY_LEAST_S = 0.1
_STORE_AGAIN_S = 0.5
_STORE_WAIT_MAX_S = 60.0

log = logging.getLogger(__name__)

Cut = Literal["stopped", "interrupted", "lost"]


@dataclass(frozen=True, slots=True)
class TurnSpec:
    """What one turn needs; `leaf_id` ends the history, `message_event` is the data of its first event."""

    turn_id: UUID
    chat_id: UUID
    message_id: UUID
    principal: Principal
    model: str
    leaf_id: UUID
    go_on: bool
    first_event_id: int
    base_text: str
    options: dict[str, Any]
    message_event: dict[str, Any]


@dataclass(slots=True)
class Running:
    """A turn under way. `cut` says why it was ended from outside."""

    spec: TurnSpec
    live: LiveReply
    scope: asyncio.Timeout | None = None
    cut: Cut | None = None
    dispatch_id: str | None = None
    usage: MessageUsage | None = None
    finished: bool = False
    waiting_shown: str = ""

    def end(self, cut: Cut) -> None:
        """End the turn at its next await; the first reason stays."""
        if self.cut is None:
            self.cut = cut
        # A stop comes twice (from the request and by NOTIFY), and a scope that expires takes no new time.
        if self.scope is not None and not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


class TurnRunner:
    """Owns this process's turns."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        completions: Completions,
        costs: Costs,
        *,
        windows: ModelWindows,
        tasks: TaskTracker,
        metrics: Metrics,
        settings: ChatSettings,
    ) -> None:
        self._database = database
        self._journal = journal
        self._completions = completions
        self._costs = costs
        self._windows = windows
        self._tasks = tasks
        self._settings = settings
        self._running: dict[UUID, Running] = {}
        self._ended = metrics.counter("chat_turns", "Turns that ended in this process", ("status",))
        metrics.gauge("chat_turns_running", "Turns under way in this process").set_function(lambda: len(self._running))
        self.owner = journal.owner
        journal.on_lost = self.lose
        self.draining = False

    def __len__(self) -> int:
        return len(self._running)

    def start(self, spec: TurnSpec) -> None:
        """Begin a turn whose rows are committed. Followers find it in the journal's `replies` from now on."""
        live = LiveReply(turn_id=spec.turn_id, message_id=spec.message_id, first_id=spec.first_event_id, base_text=spec.base_text)
        live.emit("message", spec.message_event)
        running = Running(spec=spec, live=live)
        self._running[spec.turn_id] = running
        self._journal.replies[spec.message_id] = live
        self._tasks.spawn(self._run(running), name=f"turn {spec.turn_id}")

    def stop(self, turn_id: UUID) -> None:
        """Stop a turn if it is this process's."""
        if (running := self._running.get(turn_id)) is not None:
            running.end("stopped")

    def lose(self, live: LiveReply) -> None:
        """Another process (or the chat's deletion) ended the turn: write nothing more."""
        if (running := self._running.get(live.turn_id)) is not None:
            running.end("lost")

    async def heartbeat(self) -> None:
        """Renew the lease of every running turn, and see which are to stop."""
        if not self._running:
            return
        asked = list(self._running)
        async with self._database.transaction() as session:
            owned = await repository.renew(session, turn_ids=asked, owner=self._journal.owner, lease_s=self._settings.turn_lease_s)
        for turn_id in asked:
            running = self._running.get(turn_id)
            if running is None or running.live.sealed:
                continue
            if turn_id not in owned:
                running.end("lost")
            elif owned[turn_id]:
                running.end("stopped")

    async def drain(self, timeout_s: float) -> None:
        """Take no more turns, give those that run `timeout_s`, then interrupt them."""
        self.draining = True
        deadline = monotonic_s() + timeout_s
        while self._running and monotonic_s() < deadline:  # noqa: ASYNC110 - once a process
            await asyncio.sleep(0.05)
        for running in list(self._running.values()):
            running.end("interrupted")

    async def _run(self, running: Running) -> None:
        ending = Ending("interrupted")
        try:
            ending = await self._write(running)
        finally:
            # Also after a cancellation at shutdown: what was written must be stored and marked.
            await self._finish(running, ending)
            self._running.pop(running.spec.turn_id, None)
            self._ended.labels(ending.status).inc()

    async def _write(self, running: Running) -> Ending:
        try:
            async with asyncio.timeout(self._settings.turn_duration_max_s) as scope:
                running.scope = scope
                if running.cut is not None:
                    running.end(running.cut)
                await self._converse(running)
            return Ending("complete")
        except TimeoutError:
            return self._cut(running)
        except CompletionRefusedError as refusal:
            return Ending("failed", error=refusal.error)
        except UpstreamError as error:
            return _broken(error, started=running.dispatch_id is not None or running.live.text_bytes > 0)
        except Exception:
            # The edge of the task: the person sees that it failed, the log says why.
            log.exception("a turn failed")
            return Ending(
                "failed", error=MessageError(code="internal_error", detail="something went wrong on our side; try again", status=500)
            )
        finally:
            running.scope = None

    def _cut(self, running: Running) -> Ending:
        if running.cut is not None:
            return Ending("stopped" if running.cut == "stopped" else "interrupted")
        limit_s = self._settings.turn_duration_max_s
        return Ending(
            "failed", error=MessageError(code="turn_too_long", detail=f"the reply took longer than {limit_s:g} s and was ended", status=504)
        )

    async def _converse(self, running: Running) -> None:
        body = await self._request_body(running.spec)
        started_s = monotonic_s()
        while True:
            waited_s = monotonic_s() - started_s
            try:
                await self._stream_once(running, body)
                return
            except ModelNotReadyError as wait:
                if waited_s >= self._settings.model_wait_max_s:
                    raise CompletionRefusedError(_still_not_ready(wait, waited_s)) from wait
                self._show_waiting(running, wait)
                await asyncio.sleep(min(max(wait.retry_after_s, _RETRY_LEAST_S), self._settings.model_retry_max_s))
            except UpstreamConnectError:
                if waited_s >= self._settings.provider_connect_wait_max_s:
                    raise
                await asyncio.sleep(_CONNECT_AGAIN_S)

    async def _request_body(self, spec: TurnSpec) -> dict[str, Any]:
        answer_max = spec.options.get("max_tokens")
        bytes_max = BYTES_PER_TOKEN * await self._windows.history_tokens(spec.principal, spec.model, answer_tokens_max=answer_max)
        async with self._database.transaction() as session:
            lines = await messages.history(
                session, chat_id=spec.chat_id, leaf_id=spec.leaf_id, messages_max=self._settings.history_messages_max, bytes_max=bytes_max
            )
        return {"model": spec.model, "messages": to_prompt(fit(lines, bytes_max=bytes_max), go_on=spec.go_on), **spec.options}

    async def _stream_once(self, running: Running, body: dict[str, Any]) -> None:
        live = running.live
        async with aclosing(self._completions.stream(running.spec.principal, body)) as parts:
            async for part in parts:
                match part:
                    case Text():
                        live.emit_text("reasoning" if part.reasoning else "delta", part.text)
                        if live.text_bytes > self._settings.reply_content_max_bytes:
                            raise CompletionRefusedError(_too_long(self._settings.reply_content_max_bytes))
                    case MessageUsage():
                        running.usage = part
                    case Finished():
                        running.finished = True
                    case Dispatched():
                        self._note_dispatch(running, part.dispatch_id)
                    case ToolCallPiece():
                        pass  # a plain turn offers no tools
        if not running.finished:
            raise UpstreamError("the stream ended before the answer did")

    def _note_dispatch(self, running: Running, dispatch_id: str | None) -> None:
        running.dispatch_id = dispatch_id
        if dispatch_id is not None:
            # Beside the stream: the first token does not wait for the database.
            self._tasks.spawn(self._store_dispatch(running.spec.turn_id, dispatch_id), name=f"dispatch of turn {running.spec.turn_id}")

    async def _store_dispatch(self, turn_id: UUID, dispatch_id: str) -> None:
        async with self._database.transaction() as session:
            await repository.note_dispatch(session, turn_id=turn_id, dispatch_id=dispatch_id)

    def _show_waiting(self, running: Running, wait: ModelNotReadyError) -> None:
        progress = None if wait.progress is None else wait.progress.model_dump(exclude_none=True)
        shown = repr((wait.reason, progress))
        if shown != running.waiting_shown:
            running.waiting_shown = shown
            running.live.emit("waiting", {"reason": wait.reason, "progress": progress})

    async def _finish(self, running: Running, ending: Ending) -> None:
        live = running.live
        usage = running.usage
        if usage is None and running.dispatch_id is not None and running.cut == "stopped":
            usage = await self._costs.ask_for(running.dispatch_id, self._settings.stop_cost_wait_s)
        ending = Ending(ending.status, text=live.text(), error=ending.error, usage=usage)
        chunks = await self._journal.seal(live)
        deadline = monotonic_s() + _STORE_WAIT_MAX_S
        stored: list[Event] | None = None
        while stored is None:
            try:
                stored = await self._store(running, ending, chunks)
            except (SQLAlchemyError, OSError, TimeoutError):
                if monotonic_s() > deadline:
                    log.exception("the end of a reply could not be stored; the reaper ends it from the journal")
                    break
                await asyncio.sleep(_STORE_AGAIN_S)
        if self._journal.replies.get(live.message_id) is live:
            del self._journal.replies[live.message_id]
        live.append(stored or [])
        live.close()

    async def _store(self, running: Running, ending: Ending, chunks: list[Chunk]) -> list[Event]:
        """The one transaction that ends a turn; returns its last events. Nothing is written when the turn was taken away."""
        live, spec = running.live, running.spec
        count = 1 + (ending.usage is not None) + (ending.error is not None)
        cost_pending = running.dispatch_id is not None and (ending.usage is None or ending.usage.cost_nano is None)
        async with self._database.transaction() as session:
            owned = await repository.end(
                session,
                turn_id=spec.turn_id,
                owner=self._journal.owner,
                status=ending.status,
                dispatch_id=running.dispatch_id,
                tokens_known=ending.usage is not None,
                cost_pending=cost_pending,
            )
            if not owned:
                return []
            total = await messages.close(
                session, chat_id=spec.chat_id, message_id=spec.message_id, ending=ending, stream_to=live.last_id + count
            )
            last = _last_events(live.last_id, ending, total if ending.usage is not None else None)
            await journal_rows.add(session, [*chunks, *chunks_of(spec.turn_id, last)])
        return last


def _last_events(after_id: int, ending: Ending, usage: MessageUsage | None) -> list[Event]:
    events: list[Event] = []
    if usage is not None:
        events.append(data_event(after_id + 1, "usage", usage.model_dump(mode="json")))
    if ending.error is not None:
        events.append(data_event(after_id + len(events) + 1, "error", error_data(ending.error.model_dump(mode="json"))))
    events.append(data_event(after_id + len(events) + 1, "done", {"status": ending.status}))
    return events


def _broken(error: UpstreamError, *, started: bool) -> Ending:
    """Inference did not answer, fell silent, or went away in the middle."""
    if isinstance(error, UpstreamTimeout) and error.sent:
        detail = "the model was silent for too long and the reply was ended; what it wrote is kept"
        return Ending("failed", error=MessageError(code="model_timeout", detail=detail, status=504))
    if started:
        detail = "the connection to the model broke while it answered; what it wrote is kept, continue goes on from there"
        return Ending("interrupted", error=MessageError(code="model_disconnected", detail=detail, status=502))
    detail = "the inference-service does not answer; your message is kept, regenerate tries again"
    return Ending("failed", error=MessageError(code="inference_unavailable", detail=detail, status=503))


def _still_not_ready(wait: ModelNotReadyError, waited_s: float) -> MessageError:
    detail = f"the model was not ready within {waited_s:.0f} s; regenerate tries again, or choose another model"
    return MessageError(code=wait.reason, detail=detail, status=503)


def _too_long(limit_bytes: int) -> MessageError:
    return MessageError(
        code="reply_too_long", detail=f"the reply passed {limit_bytes} bytes and was ended; what it wrote is kept", status=413
    )
