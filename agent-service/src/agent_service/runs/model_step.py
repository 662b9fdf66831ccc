"""One answer of the model within a run: streamed into events, recorded with the tool calls it makes and what it cost."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from shared.background import TaskTracker
from shared.clients.completions import (
    CompletionRefusedError,
    Completions,
    Dispatched,
    Finished,
    ModelNotReadyError,
    RefusalText,
    Text,
    ToolCallPiece,
)
from shared.clients.windows import ModelWindows, Window
from shared.clock import monotonic_s, utc_now
from shared.contracts.chat import LeftOutEventData, MessageError, MessageUsage
from shared.contracts.runs import StepEventData
from shared.db import Database
from shared.http import UpstreamConnectError, UpstreamError, UpstreamTimeout
from shared.ids import uuid7
from shared.outages import is_outage
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.runs import prompt, repository, step_repository
from agent_service.runs.answer import Answer
from agent_service.runs.history import History, calls_of, read_history, repeated_call
from agent_service.runs.live import LiveRun, RunCutError
from agent_service.runs.outcomes import (
    Ending,
    Outcome,
    complete,
    cut_ending,
    failed,
    output_too_long,
    repeats_itself,
    steps_exhausted,
    tokens_exhausted,
)
from agent_service.runs.prompt import BYTES_PER_TOKEN
from agent_service.runs.spec import ModelCall
from agent_service.runs.step_repository import StepKey
from agent_service.settings import AgentSettings
from agent_service.tools.port import Tool, Toolbox

_AWAY = "service_away"
_AWAY_AGAIN_S = 0.5
_RETRY_LEAST_S = 0.1
_ATTEMPTS_MAX = 3
_ANSWER_TOKENS_USUAL = 4096
"""What inference grants when a request names no length; a smaller rest of the run's tokens is named."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attempt:
    """One attempt under way. `broken`: its connection was lost in the middle, so that it may be repeated."""

    live: LiveRun
    key: StepKey
    history: History
    last: bool
    answer: Answer
    started_s: float = field(default_factory=monotonic_s)
    waiting_shown: str = ""
    broken: bool = False
    shown: bool = False

    def show(self, text: str) -> None:
        """Text of the answer, set off from that of earlier steps."""
        if not text:
            return
        if not self.shown and self.history.has_text(self.key.step):
            text = f"\n\n{text}"
        self.shown = True
        self.live.writer.add_text("delta", text)


class ModelSteps:
    """Carries out model steps. One instance per process."""

    def __init__(
        self,
        database: Database,
        completions: Completions,
        toolbox: Toolbox,
        *,
        windows: ModelWindows,
        tasks: TaskTracker,
        settings: AgentSettings,
    ) -> None:
        self._database = database
        self._completions = completions
        self._toolbox = toolbox
        self._windows = windows
        self._tasks = tasks
        self._settings = settings

    async def run(self, live: LiveRun, step: int, *, last: bool) -> Outcome:
        """The outcome of step `step`; `last`: no tools are offered, so that the model answers."""
        while True:
            attempt = await self._begin(live, step, last=last)
            if isinstance(attempt, Outcome):
                return attempt
            ending = await self._write(attempt)
            if ending is not None and attempt.broken and attempt.key.attempt < _ATTEMPTS_MAX:
                await self._cut(attempt)
                continue
            return await self._finish(attempt, ending)

    async def _begin(self, live: LiveRun, step: int, *, last: bool) -> _Attempt | Outcome:
        """A new attempt, recorded and shown; or the outcome, when the step ended before or may not begin."""
        history = await read_history(self._database, live.run_id)
        earlier = history.at(step)
        if earlier is not None and earlier.outcome is not None:
            return Outcome.model_validate_json(earlier.outcome)
        if (ending := history.reason_to_end(live.spec.limits)) is not None:
            return Outcome(ending=ending)
        key = StepKey(live.run_id, step, 1 if earlier is None else earlier.attempt + 1)
        title = f"{live.agent_name} thinks" if step == 1 else f"{live.agent_name} thinks again"
        values = {"run_id": key.run_id, "step": key.step, "attempt": key.attempt, "kind": "model", "name": live.model, "title": title}

        async def record(session: AsyncSession) -> None:
            if earlier is not None and earlier.status == "running":
                await step_repository.cut(session, StepKey(key.run_id, key.step, earlier.attempt))
            await step_repository.add(session, {**values, "status": "running", "started_at": utc_now()})

        live.writer.add("step", StepEventData(step=step, attempt=key.attempt, kind="model", title=title).model_dump(mode="json"))
        await live.writer.commit(record)
        return _Attempt(live, key, history, last, Answer(self._settings.run_output_max_bytes))

    async def _write(self, attempt: _Attempt) -> Ending | None:
        """Stream the answer; why the run ends instead of going on."""
        live, limits = attempt.live, attempt.live.spec.limits
        try:
            async with live.writer.flushing(self._tasks, self._settings.event_interval_s, on_lost=live.abandon):
                await live.within(partial(self._converse, attempt), timeout_s=attempt.history.seconds_left(limits))
        except RunCutError as cut:
            return cut_ending(cut, limits.duration_s_max)
        except CompletionRefusedError as refusal:
            return Ending(status="failed", error=refusal.error)
        except UpstreamError as error:
            attempt.broken = not isinstance(error, UpstreamTimeout | UpstreamConnectError)
            return _broken(error, started=attempt.answer.dispatched)
        if attempt.answer.too_long:
            return output_too_long(self._settings.run_output_max_bytes)
        return None

    async def _converse(self, attempt: _Attempt) -> None:
        body = await self._request_body(attempt)
        away_since_s: float | None = None
        while True:
            waited_s = monotonic_s() - attempt.started_s
            try:
                await self._stream_once(attempt, body)
                return
            except ModelNotReadyError as wait:
                if wait.reason != _AWAY:
                    away_since_s = None
                    if waited_s >= self._settings.model_wait_max_s:
                        raise CompletionRefusedError(_still_not_ready(wait, waited_s)) from wait
                    _show_waiting(attempt, wait)
                    await asyncio.sleep(min(max(wait.retry_after_s, _RETRY_LEAST_S), self._settings.model_retry_max_s))
                    continue
                away_since_s = away_since_s or monotonic_s()
                if monotonic_s() - away_since_s >= self._settings.provider_connect_wait_max_s:
                    raise CompletionRefusedError(_still_away(monotonic_s() - away_since_s)) from wait
                _show_waiting(attempt, wait)
            except UpstreamConnectError:
                away_since_s = away_since_s or monotonic_s()
                if monotonic_s() - away_since_s >= self._settings.provider_connect_wait_max_s:
                    raise
                _show_waiting(attempt, ModelNotReadyError(_AWAY, retry_after_s=_AWAY_AGAIN_S, progress=None))
            # Nothing was dispatched: the service may only be restarting.
            await asyncio.sleep(_AWAY_AGAIN_S)

    async def _request_body(self, attempt: _Attempt) -> dict[str, Any]:
        live, spec = attempt.live, attempt.live.spec
        tools = [] if attempt.last else await self._offered(live)
        attempt.answer.offer(tools)
        schemas = prompt.tool_schemas(tools)
        window = await self._windows.window(live.principal, live.model)
        bytes_max = window.prompt_tokens * BYTES_PER_TOKEN - prompt.size_of(schemas)
        steps = attempt.history.before(attempt.key.step)
        fitted = prompt.messages(spec, steps, tools, bytes_max=bytes_max)
        await self._note_left_out(attempt, fitted.left_out, window)
        body: dict[str, Any] = {"model": live.model, "messages": fitted.messages}
        if schemas:
            body["tools"] = schemas
        if spec.temperature is not None:
            body["temperature"] = spec.temperature
        tokens_left = spec.limits.tokens_max - attempt.history.tokens_used
        if tokens_left < _ANSWER_TOKENS_USUAL:
            body["max_tokens"] = tokens_left
        return body

    async def _note_left_out(self, attempt: _Attempt, count: int, window: Window) -> None:
        """Say what the model does not see, once for as long as it is the same."""
        tokens = min(window.context_tokens, self._settings.prompt_tokens_max)
        left_out = LeftOutEventData(messages=count, passages=0, window_tokens=tokens)
        known = attempt.history.run.left_out
        if count == 0 or (known is not None and LeftOutEventData.model_validate_json(known) == left_out):
            return

        async def record(session: AsyncSession) -> None:
            await repository.change(session, attempt.key.run_id, {"left_out": left_out.model_dump_json()})

        attempt.live.writer.add("left_out", left_out.model_dump(mode="json"))
        await attempt.live.writer.commit(record)

    async def _offered(self, live: LiveRun) -> list[Tool]:
        names = tuple(choice.name for choice in live.spec.tools)
        return await self._toolbox.find(live.principal, names) if names else []

    async def _stream_once(self, attempt: _Attempt, body: dict[str, Any]) -> None:
        """One call, under an id that is noted before it leaves: whatever dies then, billing can be asked what the call cost."""
        answer, dispatch_id = attempt.answer, uuid7()
        await self._note_dispatch(attempt.key, str(dispatch_id))
        answer.dispatch_id = str(dispatch_id)
        try:
            await self._read(attempt, body, dispatch_id)
        except (ModelNotReadyError, UpstreamConnectError):
            answer.dispatch_id = None
            raise
        except CompletionRefusedError as refusal:
            if not answer.dispatched and (refusal.error.status or 500) < 500:
                answer.dispatch_id = None  # refused before anything was sent to a provider
            raise

    async def _read(self, attempt: _Attempt, body: dict[str, Any], dispatch_id: UUID) -> None:
        answer = attempt.answer
        async with aclosing(self._completions.stream(attempt.live.principal, body, dispatch_id=dispatch_id)) as parts:
            async for part in parts:
                match part:
                    case Text(reasoning=True):
                        attempt.live.writer.add_text("reasoning", answer.add_text(part))
                    case Text():
                        attempt.show(answer.add_text(part))
                    case RefusalText():
                        attempt.show(answer.add_refusal(part))
                    case ToolCallPiece():
                        answer.add_call_piece(part)
                    case MessageUsage():
                        answer.usage = part
                    case Finished():
                        answer.note_finish(part.reason)
                    case Dispatched():
                        answer.dispatched = True
                        await self._note_told(attempt, part.dispatch_id)
                if answer.too_long:
                    return
        if not answer.finished:
            raise UpstreamError("the stream ended before the answer did")

    async def _note_dispatch(self, key: StepKey, dispatch_id: str) -> None:
        async with self._database.transaction() as session:
            await step_repository.change(session, key, {"dispatch_id": dispatch_id})

    async def _note_told(self, attempt: _Attempt, dispatch_id: str | None) -> None:
        """Inference may have chosen another id. A database that is away must not end a call that is paid for: the end stores it as well."""
        if dispatch_id is None or dispatch_id == attempt.answer.dispatch_id:
            return
        attempt.answer.dispatch_id = dispatch_id
        try:
            await self._note_dispatch(attempt.key, dispatch_id)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("a dispatch is noted later, as the database is away", extra={"dispatch_id": dispatch_id})

    async def _cut(self, attempt: _Attempt) -> None:
        log.warning("the connection to the model broke; the step runs again", extra={"run_id": str(attempt.live.run_id)})

        async def record(session: AsyncSession) -> None:
            await step_repository.change(session, attempt.key, {**_usage_values(attempt.answer), "dispatch_id": attempt.answer.dispatch_id})
            await step_repository.cut(session, attempt.key)

        await attempt.live.writer.commit(record)

    async def _finish(self, attempt: _Attempt, ending: Ending | None) -> Outcome:
        """Record how the step ended, in one transaction with its last events."""
        answer, live = attempt.answer, attempt.live
        attempt.show(answer.end_text())
        if ending is None:
            attempt.show(answer.end_marks(attempt.history.passages()))
        calls = [] if ending is not None else self._calls(attempt)
        outcome = Outcome(calls=len(calls), ending=ending or self._next(attempt, calls))
        if outcome.ending is not None:
            outcome.calls = 0
        values = {
            "status": "done" if ending is None else "failed",
            "content": answer.text(),
            "reasoning": answer.reasoning(),
            "finish_reason": answer.reason if answer.finished else None,
            "calls": f"[{','.join(call.model_dump_json() for call in calls[: outcome.calls])}]",
            "outcome": outcome.model_dump_json(),
            "dispatch_id": answer.dispatch_id,
            "duration_ms": int((monotonic_s() - attempt.started_s) * 1000),
            **_usage_values(answer),
        }

        async def record(session: AsyncSession) -> None:
            await step_repository.change(session, attempt.key, values)

        await live.writer.commit(record)
        return outcome

    def _calls(self, attempt: _Attempt) -> list[ModelCall]:
        earlier = {row.call_id for row in attempt.history.steps if row.call_id is not None}
        return attempt.answer.calls(step=attempt.key.step, taken=earlier, calls_max=self._settings.tool_calls_per_step_max)

    def _next(self, attempt: _Attempt, calls: list[ModelCall]) -> Ending | None:
        """Why the run ends with an answer that itself went well; None: its calls are to be made."""
        limits = attempt.live.spec.limits
        usage = attempt.answer.usage
        used = attempt.history.tokens_used + ((usage.prompt_tokens or 0) + (usage.completion_tokens or 0) if usage else 0)
        if not calls:
            cut_by_limit = attempt.answer.reason == "length" and used >= limits.tokens_max
            return tokens_exhausted(limits.tokens_max) if cut_by_limit else complete(attempt.answer.reason)
        if attempt.last:
            return steps_exhausted(limits.steps_max)
        made = [call for row in attempt.history.before(attempt.key.step) for call in calls_of(row)]
        repeated = repeated_call([*made, *calls])
        return repeats_itself(repeated.name, 3) if repeated is not None else None


def _usage_values(answer: Answer) -> dict[str, Any]:
    """What is known of the cost; what is not is asked for as soon as it can be known."""
    usage = answer.usage or MessageUsage()
    pending = answer.dispatch_id is not None and usage.cost_nano is None
    return {**usage.model_dump(), "cost_pending": pending, "cost_check_at": utc_now() if pending else None}


def _show_waiting(attempt: _Attempt, wait: ModelNotReadyError) -> None:
    progress = None if wait.progress is None else wait.progress.model_dump(exclude_none=True)
    shown = repr((wait.reason, progress))
    if shown != attempt.waiting_shown:
        attempt.waiting_shown = shown
        attempt.live.writer.add("waiting", {"reason": wait.reason, "progress": progress})


def _still_away(waited_s: float) -> MessageError:
    detail = f"a service that models need was away for {waited_s:.0f} s, and nothing was sent to the model; try again shortly"
    return MessageError(code=_AWAY, detail=detail, status=503)


def _broken(error: UpstreamError, *, started: bool) -> Ending:
    """Inference did not answer, fell silent, or went away in the middle."""
    if isinstance(error, UpstreamTimeout) and error.sent:
        return failed("model_timeout", "the model was silent for too long and the run was ended; what it wrote is kept", status=504)
    if started:
        detail = "the connection to the model broke again and again while it answered; what it wrote is kept"
        return failed("model_disconnected", detail, status=502)
    return failed("inference_unavailable", "the inference-service does not answer; try again shortly", status=503)


def _still_not_ready(wait: ModelNotReadyError, waited_s: float) -> MessageError:
    detail = f"the model was not ready within {waited_s:.0f} s; try again, or choose another model"
    return MessageError(code=wait.reason, detail=detail, status=503)
