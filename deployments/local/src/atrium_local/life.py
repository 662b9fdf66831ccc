"""One process from its start to its end: how it is started, asked, and ended."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atrium_local.listeners import Listener, probe_socket
from atrium_local.processes import ProcessIdentity, bound_command, send_to_group

Answer = Literal["good", "bad", "refused", "silent"]
"""What a process says when it is asked how it is; `silent`: it took the question and did not answer in time.
"""

# The words of serve.py, which is not imported: it loads the web framework.
_LOADED, _GO, _LEAVING, _END, _RELEASED = b"L", b"G", b"Q", b"E", b"R"
_POLL_S = 0.02
_FROZEN_AFTER_S = 3.0  # whoever is asked to end and says nothing for so long will not end by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to run and how to treat it."""

    name: str
    command: Sequence[str]
    environment: Callable[[], Mapping[str, str]] | None  # read at each start; None: ours
    cwd: Path
    log_path: Path
    port: int | None
    ready: Callable[["Life"], Awaitable[bool]] | None  # None: ready when it runs
    health: Callable[["Life"], Awaitable[Answer]] | None = None  # None: nobody asks
    before_start: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when we die
    stop_patience_s: float = 10.0
    one_shot: bool = False  # a job: an end with status 0 is its success
    listener: Listener | None = None  # sockets that each life inherits: `command` is one of serve.py
    exclusive: bool = False  # it owns what two lives cannot own at the same time
    wrong_settings_status: int | None = None  # it ends with this status when its settings cannot work


class Life:
    """A process that was started, or one found running (`adopted`)."""

    def __init__(
        self, spec: Spec, identity: ProcessIdentity | None, *, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.spec = spec
        self.identity = identity
        self.ready_since: float | None = None
        self.began = time.monotonic()
        self.probe_port: int | None = None
        self._process = process
        self._line: socket.socket | None = None
        self._heard: set[bytes] = set()

    @classmethod
    def start(cls, spec: Spec, *, at_once: bool = True) -> "Life":
        """Start it; one with a listener owns what only one process may own from `go` on, unless `at_once`.

        Raises: OSError when the machine has no room for it.
        """
        if spec.before_start is not None:
            spec.before_start()
        if spec.listener is None:
            process = _spawn(spec, list(spec.command), ())
            return cls(spec, ProcessIdentity.of(process.pid), process=process)
        ours, theirs = socket.socketpair()
        with theirs, probe_socket() as probe:
            command = [*spec.command, "--listen", *map(str, spec.listener.descriptors())]
            command += ["--probe", str(probe.fileno()), "--line", str(theirs.fileno())]
            command += [] if at_once else ["--successor"]
            try:
                process = _spawn(
                    spec, command, (*spec.listener.descriptors(), probe.fileno(), theirs.fileno())
                )
            except OSError:
                ours.close()
                raise
            life = cls(spec, ProcessIdentity.of(process.pid), process=process)
            life.probe_port = probe.getsockname()[1]
        ours.setblocking(False)
        life._line = ours
        return life

    @property
    def pid(self) -> int | None:
        return self.identity.pid if self.identity else None

    @property
    def adopted(self) -> bool:
        """Whether somebody else started it, and it is not ours to end."""
        return self._process is None

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs and for one we did not start."""
        return None if self._process is None else self._process.poll()

    @property
    def ready_for_s(self) -> float:
        """How long it has been ready."""
        return 0.0 if self.ready_since is None else time.monotonic() - self.ready_since

    def alive(self) -> bool:
        """Whether it still runs."""
        if self._process is not None:
            return self._process.poll() is None
        return self.identity is not None and self.identity.alive()

    def go(self) -> None:
        """It is its turn to open what only one process may own."""
        self._say(_GO)

    def is_loaded(self) -> bool:
        """Whether it answers, though it may not own yet what only one process may own."""
        return self._hears(_LOADED)

    def has_released(self) -> bool:
        """Whether it owns nothing any more that only one process may own; it may still end its answers."""
        return not self.alive() or self._hears(_RELEASED)

    def wants_to_leave(self) -> bool:
        """Whether somebody else sent it SIGTERM; it serves until it has a successor."""
        return self._hears(_LEAVING)

    async def is_ready(self) -> bool:
        """Whether it can do its work."""
        return self.spec.ready is None or await self.spec.ready(self)

    async def end(self) -> None:
        """Ask it to end, wait, and kill what does not; one that does not even answer is killed sooner."""
        began = time.monotonic()
        self._say(_END)
        if self.pid is not None and self.alive():
            with contextlib.suppress(ProcessLookupError):
                self._signal(self.spec.stop_signal)
        asked = False
        while self.alive():
            waited_s = time.monotonic() - began
            if waited_s > self.spec.stop_patience_s:
                break
            if waited_s > _FROZEN_AFTER_S and not asked and self.spec.health is not None:
                asked = True
                if await self.spec.health(self) == "silent":
                    break
            await asyncio.sleep(_POLL_S)
        self.kill()
        while self.alive():  # noqa: ASYNC110 - the process is the operating system's
            await asyncio.sleep(_POLL_S)
        self.close()

    def kill(self) -> None:
        """End it at once, with everything it started."""
        if self.pid is not None:
            send_to_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """It has ended: what it started goes too, as a worker without its parent would keep the port or the
        lock.
        """
        if not self.adopted:
            self.kill()
        if self._line is not None:
            self._line.close()
            self._line = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _say(self, word: bytes) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.send(word)

    def _hears(self, word: bytes) -> bool:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._heard.update(bytes([each]) for each in self._line.recv(16))
        return word in self._heard


def _spawn(spec: Spec, command: list[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    with spec.log_path.open("ab") as log:
        return subprocess.Popen(
            bound_command(command, spec.death_signal),
            cwd=spec.cwd,
            env=None if spec.environment is None else spec.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=descriptors,
        )
