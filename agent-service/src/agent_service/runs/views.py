"""Runs as the API shows them."""

import json
from collections.abc import Sequence
from typing import Any, cast

import orjson
from shared.contracts.agents import Run, RunStatus, RunStep
from shared.contracts.chat import LeftOutEventData, MessageError, MessageUsage
from shared.contracts.runs import RunFile

from agent_service.loop.history import citations_of, latest, output_of, reasoning_of
from agent_service.records import repository
from agent_service.records.models import RunRow, StepRow


def run_view(
    row: RunRow, *, usage: MessageUsage | None, last_event_id: int, attempts: Sequence[StepRow] = ()
) -> Run:
    """`attempts` are all attempts of all steps, in order; empty in lists."""
    last = latest(attempts)
    return Run(
        id=row.id,
        agent_id=row.agent_id,
        agent_name=row.agent_name,
        model=row.model,
        status=cast("RunStatus", row.status),
        input=row.input,
        finish_reason=row.finish_reason,
        reasoning=reasoning_of(last),
        left_out=LeftOutEventData.model_validate_json(row.left_out) if row.left_out else None,
        output=output_of(last) if repository.is_open(row) else row.output,
        error=MessageError.model_validate_json(row.error) if row.error else None,
        usage=usage,
        citations=citations_of(last),
        steps=[step_view(attempt) for attempt in attempts],
        last_event_id=last_event_id,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def step_view(row: StepRow) -> RunStep:
    usage = MessageUsage(
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_nano=row.cost_nano,
        remaining_nano=row.remaining_nano,
    )
    return RunStep(
        step=row.step,
        attempt=row.attempt,
        kind=cast("Any", row.kind),
        name=row.name,
        status=cast("Any", row.status),
        call_id=row.call_id,
        arguments=_object(row.arguments),
        result=row.result,
        files=[RunFile.model_validate(file) for file in orjson.loads(row.files)],
        usage=usage if usage != MessageUsage() else None,
        dispatch_id=row.dispatch_id,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
    )


def _object(arguments: str | None) -> dict[str, Any] | None:
    """What the model wrote, when it is a JSON object."""
    try:
        value = json.loads(arguments or "")
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
