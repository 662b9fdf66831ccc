"""What a step tells the workflow: small, because the engine records it."""

from typing import Literal

from pydantic import BaseModel
from shared.access import DETAILS, EndReason
from shared.contracts.chat import MessageError

from agent_service.runs.live import RunCutError


class Ending(BaseModel):
    """How a run ends. `finish_reason` is that of its last answer, or why its person may not go on."""

    status: Literal["complete", "stopped", "failed"]
    finish_reason: str | None = None
    error: MessageError | None = None


class Outcome(BaseModel):
    """What follows a step: `calls` tool calls are to be made, a person is to decide about call `awaiting`, or the run ends."""

    calls: int = 0
    awaiting: str | None = None
    ending: Ending | None = None


STOPPED = Ending(status="stopped")


def complete(finish_reason: str) -> Ending:
    return Ending(status="complete", finish_reason=finish_reason)


def access_ended(reason: str) -> Ending:
    """The person or key the run worked for may no longer run anything."""
    detail = DETAILS[EndReason(reason)]
    return Ending(status="failed", finish_reason=reason, error=MessageError(code=reason, detail=detail, status=403))


def failed(code: str, detail: str, *, status: int) -> Ending:
    return Ending(status="failed", error=MessageError(code=code, detail=detail, status=status))


def steps_exhausted(steps_max: int) -> Ending:
    detail = f"the run reached its limit of {steps_max} model steps without an answer; what it wrote is kept"
    return failed("steps_exhausted", detail, status=422)


def tokens_exhausted(tokens_max: int) -> Ending:
    detail = f"the run used up its limit of {tokens_max} tokens; what it wrote is kept"
    return failed("tokens_exhausted", detail, status=422)


def cost_exhausted(cost_nano_max: int) -> Ending:
    detail = f"the run used up its limit of {cost_nano_max} nano-USD; what it wrote is kept"
    return failed("cost_exhausted", detail, status=402)


def cut_ending(cut: RunCutError, duration_s_max: int) -> Ending:
    """How a run ends whose step was cut."""
    if cut.reason == "too_long":
        return too_long(duration_s_max)
    return STOPPED if cut.access is None else access_ended(cut.access)


def too_long(duration_s_max: int) -> Ending:
    return failed("run_too_long", f"the run took longer than {duration_s_max} s and was ended; what it wrote is kept", status=504)


def repeats_itself(name: str, times: int) -> Ending:
    detail = f"the model made the same call of {name} {times} times in a row, so the run was ended; what it wrote is kept"
    return failed("tool_loop", detail, status=422)


def output_too_long(bytes_max: int) -> Ending:
    detail = f"the model wrote more than {bytes_max} bytes and was ended; what it wrote is kept"
    return failed("output_too_long", detail, status=413)


def internal_error() -> Ending:
    return failed("internal_error", "something went wrong on our side; try again", status=500)
