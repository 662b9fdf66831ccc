"""What a step tells the workflow: small, because the engine records it."""

from typing import Literal

from pydantic import BaseModel
from shared.access import EndReason
from shared.contracts.chat import MessageError
from shared.replies import failures
from shared.replies.stopping import WorkEndedError


class RunEnding(BaseModel):
    """How a run ends. `finish_reason` is that of its last answer, or why its person may not go on."""

    status: Literal["complete", "stopped", "failed"]
    finish_reason: str | None = None
    error: MessageError | None = None


class StepOutcome(BaseModel):
    """What follows a step: `calls` tool calls are to be made, a person is to decide about call `awaiting`, or
    the run ends.
    """

    calls: int = 0
    awaiting: str | None = None
    ending: RunEnding | None = None


STOPPED = RunEnding(status="stopped")


def complete(finish_reason: str) -> RunEnding:
    return RunEnding(status="complete", finish_reason=finish_reason)


def access_lost(reason: EndReason) -> RunEnding:
    """The person or key the run worked for may no longer run anything."""
    return RunEnding(status="failed", finish_reason=reason.value, error=failures.access_lost(reason))


def failed(code: str, detail: str, *, status: int) -> RunEnding:
    return RunEnding(status="failed", error=MessageError(code=code, detail=detail, status=status))


def steps_exhausted(steps_max: int) -> RunEnding:
    detail = f"the run reached its limit of {steps_max} model steps without an answer; what it wrote is kept"
    return failed("steps_exhausted", detail, status=422)


def tokens_exhausted(tokens_max: int) -> RunEnding:
    detail = f"the run used up its limit of {tokens_max} tokens; what it wrote is kept"
    return failed("tokens_exhausted", detail, status=422)


def cost_exhausted(cost_nano_max: int) -> RunEnding:
    detail = f"the run used up its limit of {cost_nano_max} nano-USD; what it wrote is kept"
    return failed("cost_exhausted", detail, status=402)


def ended_outside(ended: WorkEndedError, duration_s_max: int) -> RunEnding:
    """How a run ends whose step was ended from outside."""
    if ended.access is not None:
        return access_lost(ended.access)
    return too_long(duration_s_max) if ended.cause == "timed_out" else STOPPED


def too_long(duration_s_max: int) -> RunEnding:
    return failed(
        "run_too_long",
        f"the run took longer than {duration_s_max} s and was ended; what it wrote is kept",
        status=504,
    )


def repeats_itself(name: str, times: int) -> RunEnding:
    detail = (
        f"the model made the same call of {name} {times} times in a row, so the run was ended; what it "
        "wrote is kept"
    )
    return failed("tool_loop", detail, status=422)


def output_too_long(bytes_max: int) -> RunEnding:
    detail = f"the model wrote more than {bytes_max} bytes and was ended; what it wrote is kept"
    return failed("output_too_long", detail, status=413)


def internal_error() -> RunEnding:
    return RunEnding(status="failed", error=failures.internal_error())
