"""One process that is kept running: started, watched, started again with growing pauses, stopped politely."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atrium_local.processes import Identity, bound_command, end, send_to_group

State = Literal["waiting", "starting", "ready", "restarting", "stopping", "stopped", "done"]

_POLL_S = 0.1
_PAUSE_FIRST_S = 0.2
_PAUSE_MAX_S = 15.0
_HEALTHY_S = 20.0  # who lived this long starts with the shortest pause again
_LOG_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to run and how to treat it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None  # None: ours
    cwd: Path
    log_path: Path
    port: int | None
    ready: Callable[[int], Awaitable[bool]] | None  # asked with the process id; None: ready when it runs
    before_start: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when we die
    stop_patience_s: float = 10.0
    one_shot: bool = False  # a job: an end with status 0 is its success


class Supervised:
    """Keeps one process running. `on_change` is called after every change of state."""

    def __init__(self, spec: Spec, on_change: Callable[["Supervised"], None], *, adopt: Identity | None = None) -> None:
        self.spec = spec
        self.state: State = "waiting"
        self.restarts = 0
        self.last_exit: int | None = None
        self.adopted = adopt is not None
        self._identity = adopt
        self._process: subprocess.Popen[bytes] | None = None
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()

    @property
    def identity(self) -> Identity | None:
        """The running process, None between two lives."""
        return self._identity

    async def run(self) -> None:
        """Keep it running until `stop`, or until a job is done."""
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            if self._identity is None:
                self._spawn()
            await self._watch()
            if self._stopping.is_set() or self._is_done():
                break
            failures = 0 if time.monotonic() - began > _HEALTHY_S else failures + 1
            await self._pause(failures)
        self._set("done" if self._is_done() else "stopped")

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether it became ready in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        return self._ready.is_set()

    async def stop(self) -> None:
        """End the process; one that was adopted goes on without us."""
        self._stopping.set()
        identity = self._identity
        if identity is None or self.adopted:
            return
        self._set("stopping")
        await asyncio.to_thread(self._end, identity)

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self._stopping.set()
        if self._identity is not None and not self.adopted:
            send_to_group(self._identity.pid, signal.SIGKILL)

    def last_log_line(self) -> str:
        """The end of its log, for a message."""
        try:
            tail = self.spec.log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return "no log"
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        return next((line for line in reversed(lines) if "FATAL" in line), lines[-1] if lines else "no log")

    def _end(self, identity: Identity) -> None:
        end(identity, first=self.spec.stop_signal, patience_s=self.spec.stop_patience_s)
        send_to_group(identity.pid, signal.SIGKILL)  # workers of its own that it left behind

    def _spawn(self) -> None:
        if self.spec.before_start is not None:
            self.spec.before_start()
        with self.spec.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                bound_command(self.spec.command, self.spec.death_signal),
                cwd=self.spec.cwd,
                env=self.spec.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._identity = Identity.of(self._process.pid)
        self._set("starting")

    async def _watch(self) -> None:
        """Until the process has ended."""
        while self._is_alive():
            if not self._ready.is_set() and await self._is_ready():
                self._ready.set()
                self._set("ready")
            await asyncio.sleep(_POLL_S)
        self._bury()

    def _bury(self) -> None:
        if self._process is not None:
            self.last_exit = self._process.returncode
            send_to_group(self._process.pid, signal.SIGKILL)  # a worker without its parent would keep the port or the lock
        self._identity, self._process, self.adopted = None, None, False
        self._ready.clear()

    def _is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._identity is not None and self._identity.alive()

    async def _is_ready(self) -> bool:
        if self.spec.ready is None or self._identity is None:
            return True
        return await self.spec.ready(self._identity.pid)

    def _is_done(self) -> bool:
        return self.spec.one_shot and self.last_exit == 0

    async def _pause(self, failures: int) -> None:
        self.restarts += 1
        self._set("restarting")
        pause_s = min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2 ** min(failures, 10))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_change(self)
