"""The state file: what runs, for `status`, `stop`, `logs` and tests. Written by the supervisor at each
change.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from atrium_local.files import write_atomically
from atrium_local.processes import ProcessIdentity


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process as the supervisor last saw it."""

    name: str
    state: str
    pid: int | None
    started: str | None
    port: int | None
    restarts: int
    adopted: bool
    log: str
    reason: str | None = None  # why the life before this one ended

    @property
    def identity(self) -> ProcessIdentity | None:
        """Which process that is."""
        return (
            None
            if self.pid is None or self.started is None
            else ProcessIdentity(pid=self.pid, started=self.started)
        )


@dataclass(frozen=True, slots=True)
class SuiteState:
    """The supervisor and everything it runs."""

    supervisor_pid: int
    phase: str  # starting | up | stopping | stopped
    address: str
    processes: tuple[ProcessState, ...]

    def write(self, path: Path) -> None:
        """Replace the file."""
        write_atomically(path, json.dumps(asdict(self), indent=1))

    def process(self, name: str) -> ProcessState | None:
        """The process called `name`."""
        return next((process for process in self.processes if process.name == name), None)


def read_state(path: Path) -> SuiteState | None:
    """What the last supervisor wrote; None when there is nothing readable."""
    try:
        raw = cast("dict[str, Any]", json.loads(path.read_text()))
        processes = tuple(ProcessState(**process) for process in raw.pop("processes"))
        return SuiteState(**raw, processes=processes)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_engines(path: Path, engines: Iterable[ProcessState]) -> None:
    """Remember the engines that go on running without a supervisor."""
    write_atomically(path, json.dumps([asdict(engine) for engine in engines], indent=1))


def read_engines(path: Path) -> list[ProcessState]:
    """The engines that `make deps` started and that still run."""
    try:
        raw = cast("list[dict[str, Any]]", json.loads(path.read_text()))
        engines = [ProcessState(**engine) for engine in raw]
    except (OSError, ValueError, TypeError):
        return []
    return [engine for engine in engines if engine.identity is not None and engine.identity.alive()]
