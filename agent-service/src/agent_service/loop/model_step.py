"""One answer of the model within a run: streamed into events, recorded with the tool calls it makes and what
it cost.
"""

import logging
from functools import partial
from typing import Any

from shared.background import TaskTracker
from shared.clients.completions import CompletionRefusedError, Completions
from shared.clients.windows import ModelWindows
from shared.clock import monotonic_s, utc_now
from shared.contracts.chat import LeftOutEventData, MessageUsage
from shared.contracts.runs import StepEventData
from shared.db import Database
from shared.http import UpstreamConnectError, UpstreamError, UpstreamTimeout
from shared.replies.answers import ModelAnswer
from shared.replies.conversation import AnswerTooLongError, converse
from shared.replies.failures import broken_off
from shared.replies.fitting import Budget, json_bytes
from shared.replies.stopping import WorkEndedError
from shared.replies.waiting import Waits
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.events.live import LiveRun
from agent_service.loop import prompt
from agent_service.loop.answer import StepAnswer
from agent_service.loop.attempt import ModelAttempt
from agent_service.loop.history import calls_of, read_history, repeated_call
from agent_service.loop.outcomes import (
    RunEnding,
    StepOutcome,
    complete,
    ended_outside,
    output_too_long,
    repeats_itself,
    steps_exhausted,
    tokens_exhausted,
)
from agent_service.records import repository, step_repository
from agent_service.records.spec import ModelCall
from agent_service.records.step_repository import StepKey
from agent_service.settings import AgentSettings
from agent_service.tools.port import Tool, Toolbox

_ATTEMPTS_MAX = 3
_ANSWER_TOKENS_USUAL = 4096
"""What inference grants when a request names no length; a smaller rest of the run's tokens is named."""

log = logging.getLogger(__name__)


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

    async def run(self, live: LiveRun, step: int, *, last: bool) -> StepOutcome:
        """The outcome of step `step`; `last`: no tools are offered, so that the model answers."""
        while True:
            attempt = await self._begin(live, step, last=last)
            if isinstance(attempt, StepOutcome):
                return attempt
            ending = await self._write(attempt)
            if ending is not None and attempt.broken and attempt.key.attempt < _ATTEMPTS_MAX:
                await self._mark_interrupted(attempt)
                continue
            return await self._finish(attempt, ending)

    async def _begin(self, live: LiveRun, step: int, *, last: bool) -> ModelAttempt | StepOutcome:
        """A new attempt, recorded and shown; or the outcome, when the step ended before or may not begin."""
        history = await read_history(self._database, live.run_id)
        earlier = history.at(step)
        if earlier is not None and earlier.outcome is not None:
            return StepOutcome.model_validate_json(earlier.outcome)
        if (ending := history.reason_to_end(live.spec.limits)) is not None:
            return StepOutcome(ending=ending)
        key = StepKey(live.run_id, step, 1 if earlier is None else earlier.attempt + 1)
        title = f"{live.agent_name} thinks" if step == 1 else f"{live.agent_name} thinks again"
        values = {
            "run_id": key.run_id,
            "step": key.step,
            "attempt": key.attempt,
            "kind": "model",
            "name": live.model,
            "title": title,
        }

        async def record(session: AsyncSession) -> None:
            if earlier is not None and earlier.status == "running":
                await step_repository.mark_interrupted(
                    session, StepKey(key.run_id, key.step, earlier.attempt)
                )
            await step_repository.add(session, {**values, "status": "running", "started_at": utc_now()})

        live.writer.add(
            "step",
            StepEventData(step=step, attempt=key.attempt, kind="model", title=title).model_dump(mode="json"),
        )
        await live.writer.commit(record)
        return ModelAttempt(
            self._database, live, key, history, last, StepAnswer(self._settings.run_output_max_bytes)
        )

    async def _write(self, attempt: ModelAttempt) -> RunEnding | None:
        """Stream the answer; why the run ends instead of going on."""
        live, limits = attempt.live, attempt.live.spec.limits
        try:
            async with live.writer.flushing(
                self._tasks, self._settings.event_interval_s, on_lost=live.release
            ):
                await live.within(
                    partial(self._converse, attempt), timeout_s=attempt.history.seconds_left(limits)
                )
        except WorkEndedError as ended:
            return ended_outside(ended, limits.duration_s_max)
        except AnswerTooLongError:
            return output_too_long(self._settings.run_output_max_bytes)
        except CompletionRefusedError as refusal:
            return RunEnding(status="failed", error=refusal.error)
        except UpstreamError as error:
            attempt.broken = not isinstance(error, UpstreamTimeout | UpstreamConnectError)
            return RunEnding(
                status="failed", error=broken_off(error, dispatched=attempt.answer.model.dispatched)
            )
        return None

    async def _converse(self, attempt: ModelAttempt) -> None:
        waits = Waits(self._settings, attempt.show_waiting)
        body = await self._request_body(attempt)
        principal = attempt.live.principal
        await converse(
            self._completions, principal, body, answer=attempt.answer.model, sink=attempt, waits=waits
        )

    async def _request_body(self, attempt: ModelAttempt) -> dict[str, Any]:
        live, spec = attempt.live, attempt.live.spec
        tools = [] if attempt.last else await self._offered(live)
        attempt.answer.offer(tools)
        schemas = prompt.tool_schemas(tools)
        window = await self._windows.window(live.principal, live.model)
        budget = Budget.of(window, tokens_max=self._settings.prompt_tokens_max)
        steps = attempt.history.before(attempt.key.step)
        fitted = prompt.messages(spec, steps, tools, bytes_max=budget.bytes_max - json_bytes(schemas))
        await self._note_left_out(attempt, budget.left_out(messages=fitted.left_out))
        body: dict[str, Any] = {"model": live.model, "messages": fitted.messages}
        if schemas:
            body["tools"] = schemas
        if spec.temperature is not None:
            body["temperature"] = spec.temperature
        tokens_left = spec.limits.tokens_max - attempt.history.tokens_used
        if tokens_left < _ANSWER_TOKENS_USUAL:
            body["max_tokens"] = tokens_left
        return body

    async def _note_left_out(self, attempt: ModelAttempt, left_out: LeftOutEventData | None) -> None:
        """Say what the model does not see, once for as long as it is the same."""
        known = attempt.history.run.left_out
        if left_out is None or (
            known is not None and LeftOutEventData.model_validate_json(known) == left_out
        ):
            return

        async def record(session: AsyncSession) -> None:
            await repository.change(session, attempt.key.run_id, {"left_out": left_out.model_dump_json()})

        attempt.live.writer.add("left_out", left_out.model_dump(mode="json"))
        await attempt.live.writer.commit(record)

    async def _offered(self, live: LiveRun) -> list[Tool]:
        names = tuple(choice.name for choice in live.spec.tools)
        return await self._toolbox.find(live.principal, names) if names else []

    async def _mark_interrupted(self, attempt: ModelAttempt) -> None:
        log.warning(
            "the connection to the model broke; the step runs again",
            extra={"run_id": str(attempt.live.run_id)},
        )
        values = {**_usage_values(attempt.answer.model), "dispatch_id": attempt.answer.model.dispatch_id}

        async def record(session: AsyncSession) -> None:
            await step_repository.change(session, attempt.key, values)
            await step_repository.mark_interrupted(session, attempt.key)

        await attempt.live.writer.commit(record)

    async def _finish(self, attempt: ModelAttempt, ending: RunEnding | None) -> StepOutcome:
        """Record how the step ended, in one transaction with its last events."""
        answer, live = attempt.answer, attempt.live
        attempt.show(answer.end_text())
        if ending is None:
            attempt.show(answer.end_marks(attempt.history.passages()))
        calls = [] if ending is not None else self._calls(attempt)
        outcome = StepOutcome(calls=len(calls), ending=ending or self._next(attempt, calls))
        if outcome.ending is not None:
            outcome.calls = 0
        values = {
            "status": "done" if ending is None else "failed",
            "content": answer.text(),
            "reasoning": answer.reasoning(),
            "finish_reason": answer.model.finish_reason,
            "calls": f"[{','.join(call.model_dump_json() for call in calls[: outcome.calls])}]",
            "outcome": outcome.model_dump_json(),
            "dispatch_id": answer.model.dispatch_id,
            "duration_ms": int((monotonic_s() - attempt.started_s) * 1000),
            **_usage_values(answer.model),
        }

        async def record(session: AsyncSession) -> None:
            await step_repository.change(session, attempt.key, values)

        await live.writer.commit(record)
        return outcome

    def _calls(self, attempt: ModelAttempt) -> list[ModelCall]:
        earlier = {row.call_id for row in attempt.history.steps if row.call_id is not None}
        return attempt.answer.calls(
            step=attempt.key.step, taken=earlier, calls_max=self._settings.tool_calls_per_step_max
        )

    def _next(self, attempt: ModelAttempt, calls: list[ModelCall]) -> RunEnding | None:
        """Why the run ends with an answer that itself went well; None: its calls are to be made."""
        limits = attempt.live.spec.limits
        answer = attempt.answer.model
        usage = answer.usage
        used = attempt.history.tokens_used + (
            (usage.prompt_tokens or 0) + (usage.completion_tokens or 0) if usage else 0
        )
        if not calls:
            limit_hit = answer.finish_reason == "length" and used >= limits.tokens_max
            return (
                tokens_exhausted(limits.tokens_max) if limit_hit else complete(answer.finish_reason or "stop")
            )
        if attempt.last:
            return steps_exhausted(limits.steps_max)
        made = [call for row in attempt.history.before(attempt.key.step) for call in calls_of(row)]
        repeated = repeated_call([*made, *calls])
        return repeats_itself(repeated.name, 3) if repeated is not None else None


def _usage_values(answer: ModelAnswer) -> dict[str, Any]:
    """What is known of the cost; what is not is asked for as soon as it can be known."""
    usage = answer.usage or MessageUsage()
    pending = answer.dispatch_id is not None and usage.cost_nano is None
    return {**usage.model_dump(), "cost_pending": pending, "cost_check_at": utc_now() if pending else None}
