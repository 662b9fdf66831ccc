"""What a step tells the workflow: small, because the engine records it."""

from typing import Literal

from pydantic import BaseModel
from shared.contracts.chat import MessageError


class Ending(BaseModel):
    """How a run ends."""

    status: Literal["complete", "stopped", "failed"]
    error: MessageError | None = None


class Outcome(BaseModel):
    """What follows a step: `calls` tool calls are to be made, a person is to decide about call `awaiting`, or the run ends."""

    calls: int = 0
    awaiting: str | None = None
    ending: Ending | None = None


COMPLETE = Ending(status="complete")
STOPPED = Ending(status="stopped")


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
