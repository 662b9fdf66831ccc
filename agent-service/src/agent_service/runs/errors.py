"""What can be refused about runs."""

from shared.errors import Conflict, Invalid, NotFound, TooManyRequests, Unavailable


class RunNotFound(NotFound):
    """The run is not there or not the caller's; the two look the same from outside."""

    code = "run_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such run; GET /api/v1/agents/runs lists yours")


class CallNotFound(NotFound):
    """No tool call of this run has the id."""

    code = "call_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such tool call in this run; its `tool` events name them")


class FileNotFound(NotFound):
    """No file of this run has the id."""

    code = "file_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such file in this run")


class NothingToDecide(Conflict):
    """The call does not wait for a person."""

    code = "nothing_to_decide"

    def __init__(self) -> None:
        super().__init__("this tool call does not wait for approval")


class DecidedAlready(Conflict):
    """The call was decided about the other way."""

    code = "decided_already"

    def __init__(self, decision: str) -> None:
        super().__init__(
            f"this tool call was decided about already: {decision}", extra={"decision": decision}
        )


class InputInvalid(Invalid):
    """The input does not end with something to answer."""

    code = "input_invalid"

    def __init__(self) -> None:
        detail = "the last message must be one of the user and not empty"
        super().__init__(
            f"input: {detail}", errors=[{"field": "body.input", "code": self.code, "detail": detail}]
        )


class RunIdTaken(Conflict):
    """Another run has the id."""

    code = "run_id_taken"

    def __init__(self) -> None:
        super().__init__("this run_id belongs to another run; send a new one")


class TooManyRuns(TooManyRequests):
    """The person has the allowed number of runs open."""

    code = "too_many_open_runs"

    def __init__(self, count_max: int) -> None:
        super().__init__(
            f"{count_max} of your runs are under way or wait for approval; wait for one or cancel one",
            retry_after_s=5,
            extra={"limit": count_max},
        )


class ProcessBusy(Unavailable):
    """This process has as many runs as it may."""

    code = "agents_busy"

    def __init__(self) -> None:
        super().__init__("too many runs are under way at the moment; try again shortly", retry_after_s=5)


class Draining(Unavailable):
    """The process shuts down."""

    code = "agents_restarting"

    def __init__(self) -> None:
        super().__init__("the agent-service restarts; ask again in a moment", retry_after_s=3)
