"""What a run has done so far, read at the start of each step."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson
from shared.clock import utc_now
from shared.contracts.agents import RunLimits
from shared.contracts.chat import MessageUsage
from shared.contracts.runs import Citation
from shared.db import Database
from shared.replies.stopping import end_reason_of

from agent_service.loop.outcomes import (
    STOPPED,
    RunEnding,
    access_lost,
    cost_exhausted,
    tokens_exhausted,
    too_long,
)
from agent_service.records import repository, step_repository
from agent_service.records.models import RunRow, StepRow
from agent_service.records.spec import ModelCall

SAME_CALLS_MAX = 3


@dataclass(frozen=True, slots=True)
class RunHistory:
    """`steps` are the last attempts, in order; `usage` is the sum over all attempts."""

    run: RunRow
    steps: Sequence[StepRow]
    usage: MessageUsage

    def at(self, step: int) -> StepRow | None:
        """The last attempt of a step."""
        return next((row for row in self.steps if row.step == step), None)

    def before(self, step: int) -> list[StepRow]:
        return [row for row in self.steps if row.step < step]

    def seconds_left(self, limits: RunLimits) -> float:
        """Of the run's duration; what people took to approve does not count."""
        started_at = self.run.started_at or self.run.created_at
        gone = utc_now() - started_at - timedelta(milliseconds=self.run.approval_wait_ms)
        return limits.duration_s_max - gone.total_seconds()

    @property
    def tokens_used(self) -> int:
        return (self.usage.prompt_tokens or 0) + (self.usage.completion_tokens or 0)

    def reason_to_end(self, limits: RunLimits) -> RunEnding | None:
        """Why no further step may begin."""
        if (ending := self.stop_asked()) is not None:
            return ending
        if self.seconds_left(limits) <= 0:
            return too_long(limits.duration_s_max)
        if self.tokens_used >= limits.tokens_max:
            return tokens_exhausted(limits.tokens_max)
        if limits.cost_nano_max is not None and (self.usage.cost_nano or 0) >= limits.cost_nano_max:
            return cost_exhausted(limits.cost_nano_max)
        return None

    def stop_asked(self) -> RunEnding | None:
        """How the run ends when somebody stopped it, or its person or key may no longer run anything."""
        if (reason := end_reason_of(self.run.end_reason)) is not None:
            return access_lost(reason)
        return STOPPED if self.run.cancel_requested else None

    def has_text(self, before: int) -> bool:
        """Whether an earlier step wrote text of the answer."""
        return any(row.content for row in self.before(before))

    def citations_count(self) -> int:
        return sum(len(orjson.loads(row.citations)) for row in self.steps)

    def passages(self) -> list[tuple[int, str]]:
        """Number and text of what was handed to the model."""
        return [(citation.n, citation.text) for citation in citations_of(self.steps)]


async def read_history(database: Database, run_id: UUID) -> RunHistory:
    """Raises: LookupError when the run is gone."""
    async with database.transaction() as session:
        run = await repository.get(session, run_id)
        if run is None:
            raise LookupError("the run is gone")
        steps = await step_repository.latest_attempts(session, run_id)
        usage = await step_repository.usage(session, [run_id])
    return RunHistory(run, steps, usage.get(run_id, MessageUsage()))


def latest(attempts: Sequence[StepRow]) -> list[StepRow]:
    """The last attempt of each step; `attempts` are in order."""
    return list({row.step: row for row in attempts}.values())


def calls_of(row: StepRow) -> list[ModelCall]:
    """The tool calls a model step made."""
    return [ModelCall.model_validate(call) for call in orjson.loads(row.calls)]


def output_of(steps: Sequence[StepRow]) -> str:
    """The text of the answer: what a reader has who appended every delta that was not voided."""
    return "\n\n".join(row.content for row in steps if row.kind == "model" and row.content)


def reasoning_of(steps: Sequence[StepRow]) -> str:
    """What the models of all steps thought, as `output_of` joins what they wrote."""
    return "\n\n".join(row.reasoning for row in steps if row.kind == "model" and row.reasoning)


def citations_of(steps: Sequence[StepRow]) -> list[Citation]:
    return [Citation.model_validate(citation) for row in steps for citation in orjson.loads(row.citations)]


def repeated_call(calls: Sequence[ModelCall]) -> ModelCall | None:
    """The last call when it and those before it are the very same, SAME_CALLS_MAX times."""
    last = calls[-SAME_CALLS_MAX:]
    if len(last) < SAME_CALLS_MAX or len({(call.name, _normal(call.arguments)) for call in last}) > 1:
        return None
    return last[-1]


def _normal(arguments: str) -> str:
    """The same JSON in other spacing or order is the same."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments.strip()
