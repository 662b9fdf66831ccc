"""One tool call within a run: checked, approved where a person must agree, carried out once, recorded."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from shared.clock import monotonic_s, utc_now
from shared.contracts.runs import StepEventData, ToolEventData
from shared.db import Database
from shared.errors import AppError
from shared.replies.stopping import WorkEndedError
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.events.live import LiveRun
from agent_service.loop.history import RunHistory, calls_of, read_history
from agent_service.loop.outcomes import RunEnding, StepOutcome, ended_outside
from agent_service.loop.produced import Produced, keep_files, storable
from agent_service.records import repository, step_repository
from agent_service.records.models import StepRow
from agent_service.records.spec import ModelCall
from agent_service.records.step_repository import StepKey
from agent_service.settings import AgentSettings
from agent_service.tools.arguments import ArgumentsInvalid, check_arguments
from agent_service.tools.port import Tool, Toolbox, ToolContext, ToolResult

log = logging.getLogger(__name__)

_INTERRUPTED = (
    "The call was interrupted by a restart and is not repeated, because it may have had its effect "
    "already. Say so to the user."
)
_STOPPED = "The call was stopped."
_DENIED = "The user did not allow this call. Do not repeat it; work without it or ask the user."
_UNDECIDED = "Nobody allowed this call in time. Work without it."
_UNEXPECTED = "The tool failed unexpectedly."


@dataclass(frozen=True, slots=True)
class _Call:
    """One call ready to be recorded. `problem` is the result of a call that cannot be carried out."""

    live: LiveRun
    key: StepKey
    call: ModelCall
    title: str
    tool: Tool | None
    arguments: Mapping[str, Any]
    problem: str | None = None


class ToolSteps:
    """Carries out tool calls. One instance per process."""

    def __init__(self, database: Database, toolbox: Toolbox, settings: AgentSettings) -> None:
        self._database = database
        self._toolbox = toolbox
        self._settings = settings

    async def run(self, live: LiveRun, step: int, *, model_step: int, index: int) -> StepOutcome:
        """Carry out call `index` of `model_step` as step `step`, unless a person has to agree first."""
        history = await read_history(self._database, live.run_id)
        earlier = history.at(step)
        if (done := _outcome_of(earlier)) is not None:
            return done
        if earlier is not None and earlier.status == "awaiting_approval":
            return StepOutcome(awaiting=earlier.call_id)
        if (ending := history.reason_to_end(live.spec.limits)) is not None:
            return StepOutcome(ending=ending)
        model_row = history.at(model_step)
        if model_row is None:
            raise LookupError("the step that made the call is gone")
        call = await self._prepare(live, history, calls_of(model_row)[index], step=step)
        if call.problem is not None:
            return await self._begin_and_fail(call, earlier)
        if earlier is None and (
            live.spec.approval_of(call.call.name) or (call.tool is not None and call.tool.needs_approval)
        ):
            return await self._ask(call)
        await self._begin(call, earlier)
        return await self._execute(call, history)

    async def decided(self, live: LiveRun, step: int) -> StepOutcome:
        """Go on with a call that a person had to decide about."""
        history = await read_history(self._database, live.run_id)
        row = history.at(step)
        if (done := _outcome_of(row)) is not None:
            return done
        if row is None or row.call_id is None:
            raise LookupError("the call is gone")
        made = ModelCall(id=row.call_id, name=row.name, arguments=row.arguments or "")
        call = await self._prepare(live, history, made, step=step)
        if row.status == "awaiting_approval":
            await self._resume(live, row)
            if (ending := history.stop_asked()) is not None:
                return await self._finish(
                    call, ToolResult(_STOPPED, failed=True), monotonic_s(), ending=ending
                )
            if row.decision != "approve":
                text = _DENIED if row.decision == "deny" else _UNDECIDED
                return await self._finish(call, ToolResult(text, failed=True), monotonic_s(), status="denied")
        if call.problem is not None:
            return await self._begin_and_fail(call, row)
        await self._begin(call, row)
        # Read again: the time the person took is not the run's.
        return await self._execute(call, await read_history(self._database, live.run_id))

    async def _prepare(self, live: LiveRun, history: RunHistory, call: ModelCall, *, step: int) -> _Call:
        """What is to be done for `call` in the attempt that follows."""
        earlier = history.at(step)
        interrupted = earlier is not None and earlier.status == "running"
        key = StepKey(live.run_id, step, 1 if earlier is None else earlier.attempt + interrupted)
        offered = tuple(choice.name for choice in live.spec.tools)
        found = await self._toolbox.find(live.principal, (call.name,)) if call.name in offered else []
        if not found:
            names = ", ".join(offered) or "none"
            return _Call(
                live,
                key,
                call,
                call.name or "unknown tool",
                None,
                {},
                f"There is no tool named {call.name!r}. Tools: {names}.",
            )
        tool = found[0]
        try:
            arguments = check_arguments(tool, call.arguments)
        except ArgumentsInvalid as problem:
            return _Call(live, key, call, tool.title, tool, {}, str(problem))
        problem = _INTERRUPTED if interrupted and not tool.repeatable else None
        return _Call(live, key, call, tool.title, tool, arguments, problem)

    async def _begin(self, call: _Call, earlier: StepRow | None) -> None:
        await self._record_attempt(call, earlier, "running")

    async def _ask(self, call: _Call) -> StepOutcome:
        """Leave the call to a person. A stop that comes meanwhile finds the row, or is found here."""
        await self._record_attempt(call, None, "awaiting_approval")
        return StepOutcome(awaiting=call.call.id)

    async def _begin_and_fail(self, call: _Call, earlier: StepRow | None) -> StepOutcome:
        await self._record_attempt(call, earlier, "running")
        return await self._finish(call, ToolResult(call.problem or "", failed=True), monotonic_s())

    async def _record_attempt(
        self, call: _Call, earlier: StepRow | None, status: Literal["running", "awaiting_approval"]
    ) -> None:
        """The attempt's row and events. An approved call keeps its attempt, an interrupted one gets
        the next.
        """
        live, key = call.live, call.key
        values = {
            "run_id": key.run_id,
            "step": key.step,
            "attempt": key.attempt,
            "kind": "tool",
            "name": call.call.name,
            "title": call.title,
            "status": status,
            "call_id": call.call.id,
            "arguments": call.call.arguments,
            "started_at": utc_now(),
        }
        is_new = earlier is None or earlier.attempt < key.attempt

        async def record(session: AsyncSession) -> None:
            if not is_new:
                await step_repository.change(session, key, {"status": status, "started_at": utc_now()})
                return
            if earlier is not None:
                await step_repository.mark_interrupted(
                    session, StepKey(key.run_id, key.step, earlier.attempt)
                )
            await step_repository.add(session, values)
            if status == "awaiting_approval":
                await repository.change(session, key.run_id, {"status": "awaiting_approval"})

        if is_new:
            shown = StepEventData(step=key.step, attempt=key.attempt, kind="tool", title=call.title)
            live.writer.add("step", shown.model_dump(mode="json"))
        live.writer.add("tool", _event(call, status))
        await live.writer.commit(record)

    async def _resume(self, live: LiveRun, row: StepRow) -> None:
        waited_ms = int((utc_now() - row.started_at).total_seconds() * 1000)

        async def record(session: AsyncSession) -> None:
            await repository.resume_after_approval(session, live.run_id, waited_ms=waited_ms)

        await live.writer.commit(record)

    async def _execute(self, call: _Call, history: RunHistory) -> StepOutcome:
        tool, live = call.tool, call.live
        if tool is None:
            raise LookupError("the tool is gone")
        started_s = monotonic_s()
        spec = live.spec
        context = ToolContext(
            principal=live.principal,
            run_id=live.run_id,
            knowledge_base_ids=tuple(spec.knowledge_base_ids),
            file_ids=tuple(spec.file_ids),
            citations_from=history.citations_count() + 1,
        )
        try:
            timeout_s = max(history.seconds_left(spec.limits), 0.001)
            result = await live.within(lambda: self._call(tool, context, call.arguments), timeout_s=timeout_s)
        except WorkEndedError as ended:
            ending = ended_outside(ended, spec.limits.duration_s_max)
            return await self._finish(call, ToolResult(_STOPPED, failed=True), started_s, ending=ending)
        return await self._finish(call, result, started_s)

    async def _call(self, tool: Tool, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """The tool's result; what goes wrong in it is a failed result that the model reads."""
        timeout_s = min(tool.timeout_s, self._settings.tool_timeout_max_s)
        scope = asyncio.timeout(timeout_s)
        try:
            async with scope:
                return await tool.call(context, arguments)
        except TimeoutError:
            if scope.expired():
                return ToolResult(f"The tool gave no result within {timeout_s:g} s.", failed=True)
            log.exception("a tool timed out inside")
        except AppError as error:
            return ToolResult(error.detail, failed=True)
        except Exception:
            # The edge of a tool: its failure is the model's to handle, the reason is the operator's to read.
            log.exception("a tool failed", extra={"tool": tool.name})
        return ToolResult(_UNEXPECTED, failed=True)

    async def _finish(
        self,
        call: _Call,
        result: ToolResult,
        started_s: float,
        *,
        status: Literal["denied"] | None = None,
        ending: RunEnding | None = None,
    ) -> StepOutcome:
        """Record the result with its files and passages, in one transaction with its events."""
        outcome = StepOutcome(ending=ending)
        kept = await self._keep(call, result)
        final = status or ("failed" if result.failed else "done")
        duration_ms = int((monotonic_s() - started_s) * 1000)
        values = {
            "status": final,
            "result": kept.text,
            "citations": orjson.dumps(
                [citation.model_dump(mode="json") for citation in result.citations]
            ).decode(),
            "files": orjson.dumps([file.model_dump(mode="json") for file in kept.files]).decode(),
            "outcome": outcome.model_dump_json(),
            "duration_ms": duration_ms,
        }

        async def record(session: AsyncSession) -> None:
            await repository.add_files(session, kept.rows)
            await step_repository.change(session, call.key, values)

        for citation in result.citations:
            call.live.writer.add("citation", citation.model_dump(mode="json"))
        call.live.writer.add("tool", _event(call, final, kept=kept, duration_ms=duration_ms))
        await call.live.writer.commit(record)
        return outcome

    async def _keep(self, call: _Call, result: ToolResult) -> Produced:
        if not result.files:
            return Produced(storable(result.text))
        async with self._database.transaction() as session:
            taken = await repository.files_size(session, call.key.run_id)
        left = self._settings.run_files_max_bytes - taken
        return keep_files(
            call.key.run_id, result, bytes_left=left, file_bytes_max=self._settings.run_file_max_bytes
        )


def _outcome_of(row: StepRow | None) -> StepOutcome | None:
    return None if row is None or row.outcome is None else StepOutcome.model_validate_json(row.outcome)


def _event(
    call: _Call, status: Any, *, kept: Produced | None = None, duration_ms: int | None = None
) -> dict[str, Any]:
    data = ToolEventData(
        step=call.key.step,
        call_id=call.call.id,
        name=call.call.name,
        title=call.title,
        status=status,
        arguments=dict(call.arguments),
        result=kept.text if kept else None,
        files=kept.files if kept else [],
        duration_ms=duration_ms,
    )
    return data.model_dump(mode="json")
