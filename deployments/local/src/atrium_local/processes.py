"""Processes of the operating system: starting them so that they die with us, and knowing them again later."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_S = 0.05
_OPEN_FILES_WANTED = (65_536, 10_240)  # macOS refuses more than the second
_START_TIME_FIELD = 19  # of /proc/PID/stat after the program's name (proc(5): field 22)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process for good: a process id alone may be given to another one later."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The identity of a living process; None when it is gone or only waits to be reaped."""
        started = _start_time(pid)
        return None if started is None else cls(pid=pid, started=started)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_time(self.pid) == self.started


def raise_open_files() -> int:
    """Allow this process, and everything it starts, as many open files as the machine lets it: each
    connection is one. Gives the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in _OPEN_FILES_WANTED:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return limit
    return soft


def bound_command(command: Sequence[str], death_signal: signal.Signals) -> list[str]:
    """The command such that the kernel sends it `death_signal` when this process dies, kill -9 included
    (Linux).
    """
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)), *command]


def send_to_group(pid: int, number: signal.Signals) -> None:
    """Signal a process we started in a session of its own, with everything it started; silent when it is
    gone.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end(identity: ProcessIdentity, *, first: signal.Signals, patience_s: float) -> None:
    """Ask the process to end with `first`; after `patience_s` its whole group is killed."""
    if identity.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, first)
    deadline = time.monotonic() + patience_s
    while identity.alive() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if identity.alive():
        send_to_group(identity.pid, signal.SIGKILL)
    while identity.alive():
        time.sleep(_POLL_S)


def _start_time(pid: int) -> str | None:
    if sys.platform == "linux":
        return _start_time_from_proc(pid)
    found = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not found or found.startswith("Z") else found.partition(" ")[2].strip()


def _start_time_from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields[_START_TIME_FIELD]
