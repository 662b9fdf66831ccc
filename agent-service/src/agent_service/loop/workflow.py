"""The loop of a run as a durable workflow: the model answers, its tool calls are made, until it calls no more
or a limit ends it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Never, TypeVar
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import monotonic_s, utc_now
from shared.contracts.chat import DoneEventData, ErrorEventData, MessageUsage
from shared.db import Database
from shared.metrics import Metrics
from shared.outages import is_outage
from shared.replies.stopping import end_reason_of
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.events.live import LiveRun, LiveRuns
from agent_service.events.writer import EventWriter, RunLostError
from agent_service.loop.costs import Costs
from agent_service.loop.history import latest, output_of
from agent_service.loop.model_step import ModelSteps
from agent_service.loop.outcomes import RunEnding, StepOutcome, internal_error, steps_exhausted
from agent_service.loop.tool_step import ToolSteps
from agent_service.records import event_repository, repository, step_repository
from agent_service.records.models import StepRow
from agent_service.records.spec import RunSpec
from agent_service.settings import AgentSettings
from shared import durable

KIND = "run"
_DRAIN_LOOK_S = 0.05
_AGAIN_S = 0.5
_GONE: dict[str, object] = {"gone": True}

T = TypeVar("T")

log = logging.getLogger(__name__)


def workflow_id(run_id: UUID) -> str:
    return f"run-{run_id}"


def approval_topic(call_id: str) -> str:
    """Under which the decision about a call is sent to the workflow."""
    return f"approval {call_id}"


class _RunGoneError(Exception):
    """The run was deleted, or its end is written already: nothing is left to do."""


class RunWorkflow:
    """Carries out runs. One instance per process. `owner` names the process."""

    def __init__(
        self,
        database: Database,
        models: ModelSteps,
        tools: ToolSteps,
        *,
        costs: Costs,
        live: LiveRuns,
        owner: str,
        settings: AgentSettings,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._models = models
        self._tools = tools
        self._costs = costs
        self._live = live
        self._owner = owner
        self._settings = settings
        self._ended = metrics.counter("agent_runs", "Runs that ended in this process", ("status",))
        metrics.gauge("agent_runs_open", "Runs under way in this process").set_function(lambda: len(live))
        self._draining = False
        self._drained_at_s = 0.0
        self._steps_running = 0

    async def run(self, argument: str) -> None:
        """What the engine calls, at first and again after each restart or upgrade."""
        run_id = UUID(argument)
        live = await through_outages(partial(self._open, run_id))
        if live is None:
            return
        self._live.runs[run_id] = live
        try:
            ending = await self._loop(live)
            await self._step(live, "end", partial(through_outages, partial(self._finish, live, ending)))
        except _RunGoneError:
            log.info("a run is gone or was ended elsewhere", extra={"run_id": argument})
        finally:
            self._live.runs.pop(run_id, None)
            self._live.wakeups.wake(run_id)

    async def drain(self, timeout_s: float) -> None:
        """Begin no further step, and give those under way `timeout_s`; what is left continues in the next
        process.
        """
        if not self._draining:
            self._draining = True
            self._drained_at_s = monotonic_s() + timeout_s
        while self._steps_running and monotonic_s() < self._drained_at_s:  # noqa: ASYNC110 - once a process
            await asyncio.sleep(_DRAIN_LOOK_S)
        for live in list(self._live.runs.values()):
            live.release()

    async def _open(self, run_id: UUID) -> LiveRun | None:
        """Take the run over; None when it has ended. Not a recorded step: each process does it for itself."""
        async with self._database.transaction() as session:
            row = await repository.claim(session, run_id, owner=self._owner)
            last_ids = await event_repository.last_ids(session, [run_id])
        if row is None or row.started_at is None:
            return None
        writer = EventWriter(
            self._database,
            run_id=run_id,
            owner=self._owner,
            last_id=last_ids.get(run_id, 0),
            on_stored=self._live.wakeups.wake,
        )
        live = LiveRun(
            run_id=run_id,
            agent_name=row.agent_name,
            model=row.model,
            principal=Principal.from_claims(row.principal),
            spec=RunSpec.model_validate_json(row.spec),
            writer=writer,
        )
        if row.cancel_requested:
            live.stop(end_reason_of(row.end_reason))
        return live

    async def _loop(self, live: LiveRun) -> RunEnding:
        """Decides by the recorded outcomes of steps alone."""
        steps_max = live.spec.limits.steps_max
        step = 0
        for round_number in range(1, steps_max + 1):
            step = model_step = step + 1
            last = round_number == steps_max
            outcome = await self._guarded(
                live, f"model {step}", partial(self._models.run, live, step, last=last)
            )
            if outcome.ending is not None:
                return outcome.ending
            for index in range(outcome.calls):
                step += 1
                called = await self._call(live, step, model_step=model_step, index=index)
                if called.ending is not None:
                    return called.ending
        return steps_exhausted(steps_max)

    async def _call(self, live: LiveRun, step: int, *, model_step: int, index: int) -> StepOutcome:
        work = partial(self._tools.run, live, step, model_step=model_step, index=index)
        outcome = await self._guarded(live, f"tool {step}", work)
        if outcome.awaiting is None:
            return outcome
        await durable.receive(
            approval_topic(outcome.awaiting),
            timeout_s=await self._left_to_decide_s(live.run_id, outcome.awaiting),
        )
        # What was decided is in the row; the message only wakes the workflow.
        return await self._guarded(live, f"decided {step}", partial(self._tools.decided, live, step))

    async def _left_to_decide_s(self, run_id: UUID, call_id: str) -> float:
        """Counted from the question, for a workflow that was started again; for one that continues, the
        engine keeps its first answer.
        """

        async def read() -> StepRow | None:
            async with self._database.transaction() as session:
                return await step_repository.get_call(session, run_id, call_id)

        row = await through_outages(read)
        asked_s = 0 if row is None else (utc_now() - row.started_at).total_seconds()
        return max(self._settings.approval_wait_max_s - asked_s, 0)

    async def _guarded(
        self, live: LiveRun, name: str, work: Callable[[], Awaitable[StepOutcome]]
    ) -> StepOutcome:
        """The outcome of a step; what nobody foresaw ends the run instead of leaving it open for ever.

        A database that is away is waited for: the step then begins again and finds in its rows how far it
        was.
        """

        async def guarded() -> dict[str, object]:
            try:
                outcome = await through_outages(work)
            except RunLostError:
                raise
            except Exception:
                log.exception("a step of a run failed")
                outcome = StepOutcome(ending=internal_error())
            return outcome.model_dump(mode="json", exclude_none=True)

        return StepOutcome.model_validate(await self._step(live, name, guarded))

    async def _step(
        self, live: LiveRun, name: str, work: Callable[[], Awaitable[dict[str, object]]]
    ) -> dict[str, object]:
        async def counted() -> dict[str, object]:
            self._steps_running += 1
            try:
                return await work()
            except RunLostError:
                if await through_outages(partial(self._has_ended, live.run_id)):
                    return _GONE
                log.warning("this process leaves a run to another one", extra={"run_id": str(live.run_id)})
            finally:
                self._steps_running -= 1
            # Nothing may be recorded: whoever continues with the run records this step.
            self._live.runs.pop(live.run_id, None)
            return await _for_ever()

        if self._draining:
            await _for_ever()
        done = await durable.step(name, counted)
        if done == _GONE:
            raise _RunGoneError
        return done

    async def _has_ended(self, run_id: UUID) -> bool:
        async with self._database.transaction() as session:
            return await repository.has_ended(session, run_id)

    async def _finish(self, live: LiveRun, ending: RunEnding) -> dict[str, object]:
        """The last events and the run's end in one transaction; done before: nothing."""
        steps, usage = await self._done(live.run_id)
        if any(row.status in {"running", "awaiting_approval"} for row in steps):
            await self._fail_open(live)
            steps, usage = await self._done(live.run_id)
        if any(row.cost_pending for row in steps):
            await self._costs.wait_for(live.run_id)
            steps, usage = await self._done(live.run_id)
        add_last_events(live.writer, ending, usage)
        values = end_values(ending, latest(steps))

        async def record(session: AsyncSession) -> None:
            await repository.end(session, live.run_id, values)

        await live.writer.commit(record)
        self._ended.labels(ending.status).inc()
        return {}

    async def _done(self, run_id: UUID) -> tuple[Sequence[StepRow], MessageUsage | None]:
        """All attempts and what they took."""
        async with self._database.transaction() as session:
            steps = await step_repository.all_attempts(session, run_id)
            usage = await step_repository.usage(session, [run_id])
        return steps, usage.get(run_id)

    async def _fail_open(self, live: LiveRun) -> None:
        async def record(session: AsyncSession) -> None:
            await step_repository.fail_open(session, live.run_id)

        await live.writer.commit(record)


async def through_outages(work: Callable[[], Awaitable[T]]) -> T:
    """What `work` gives, which must be harmless to begin again: it does when the database was away."""
    while True:
        try:
            return await work()
        except RunLostError:
            raise
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("the database is away; a run waits for it", extra={"reason": type(error).__name__})
        await asyncio.sleep(_AGAIN_S)


async def _for_ever() -> Never:
    """Until the process ends: the engine counts the workflow as unfinished, so the next process continues
    with it.
    """
    while True:
        await asyncio.Event().wait()


def add_last_events(writer: EventWriter, ending: RunEnding, usage: MessageUsage | None) -> None:
    if usage is not None:
        writer.add("usage", usage.model_dump(mode="json"))
    if ending.error is not None:
        error = ending.error
        members = {**error.extra, "code": error.code, "detail": error.detail, "status": error.status}
        writer.add("error", ErrorEventData.model_validate(members).model_dump(mode="json"))
    done = DoneEventData(status=ending.status, finish_reason=ending.finish_reason)
    writer.add("done", done.model_dump(mode="json"))


def end_values(ending: RunEnding, steps: Sequence[StepRow]) -> dict[str, object]:
    """What the row of an ended run says; `steps` are the last attempts."""
    error = ending.error and ending.error.model_dump_json()
    return {
        "status": ending.status,
        "output": output_of(steps),
        "finish_reason": ending.finish_reason,
        "error": error,
    }
