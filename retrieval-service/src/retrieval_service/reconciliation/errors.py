"""Refusals of reconciliation."""

from shared.errors import Conflict


class AlreadyRunning(Conflict):
    """One at a time."""

    code = "reconciliation_running"

    def __init__(self) -> None:
        super().__init__("a comparison is running; its report comes with GET when it has ended")
