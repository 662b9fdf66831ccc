"""What a command asks of the running supervisor: a file in `run/requests` and a signal, answered by a file
beside it.
"""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from shared.ids import random_secret

from atrium_local.errors import LocalError
from atrium_local.files import write_atomically
from atrium_local.home import Home

_POLL_S = 0.05
SIGNAL = signal.SIGUSR1


def hold_back(*_signal: object) -> None:
    """The handler until the supervisor looks for requests: by default the signal would end the process."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request, for the terminal."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """Restart the process of this name."""

    restart: str
    path: Path

    def answer(self, answer: Answer) -> None:
        """Tell whoever asked; a full disk leaves them waiting for their time-out."""
        write_atomically(self.path.with_suffix(".answer"), json.dumps(asdict(answer)))


def take_requests(home: Home) -> list[Request]:
    """What was asked of this process since the last look; each is given once. What was left of others is
    thrown away.
    """
    taken: list[Request] = []
    ours = f"{os.getpid()}-"
    for path in sorted(home.requests.glob("*.json")):
        if path.name.startswith(ours):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # damaged
                asked = cast("dict[str, Any]", json.loads(path.read_text()))
                taken.append(Request(restart=str(asked["restart"]), path=path))
        path.unlink(missing_ok=True)
    for path in home.requests.glob("*.answer"):
        if not path.name.startswith(ours):  # ours are removed by who asked
            path.unlink(missing_ok=True)
    return taken


def ask_restart(home: Home, name: str, *, timeout_s: float) -> Answer:
    """Have the supervisor put a new process in place of `name` and wait for that.

    Raises: LocalError when none runs, or it says nothing.
    """
    pid = home.supervisor_pid()
    if pid is None:
        raise LocalError(f"Atrium does not run on {home.root}: `make run` starts it.")
    home.requests.mkdir(exist_ok=True, mode=0o700)
    path = home.requests / f"{pid}-{random_secret(8)}.json"
    answered = path.with_suffix(".answer")
    write_atomically(path, json.dumps({"restart": name}))
    os.kill(pid, SIGNAL)
    deadline = time.monotonic() + timeout_s
    try:
        while not answered.exists():
            if time.monotonic() > deadline or home.supervisor_pid() != pid:
                raise LocalError("The supervisor did not answer: see `make status`.")
            time.sleep(_POLL_S)
        return Answer(**json.loads(answered.read_text()))
    finally:
        path.unlink(missing_ok=True)
        answered.unlink(missing_ok=True)
