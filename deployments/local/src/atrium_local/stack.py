"""The whole suite in a temporary home on free ports, for tests and benchmarks."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from dotenv import dotenv_values
from shared.settings import environment

from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.processes import bound_command
from atrium_local.services import GATEWAY, SERVICES
from atrium_local.state import ProcessState, SuiteState, read_state

SUPERVISOR = "supervisor"
_START_TIMEOUT_S = 240.0  # with a cold web build on a busy machine
_READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_POLL_S = 0.05
_HTTP_TIMEOUT_S = 2.0
_INHERITED_NOT = (
    "DATABASE_URL",
    "DATABASE_ADMIN_URL",
    "LOCAL_MODEL_URL",
    "MODEL_PATH",
    "MODEL_URL",
    "EXCEPT",
    "HOST",
    "PORT",
)


class Stack:
    """Starts the suite with `start`, or as a context manager.

    `model` is a built-in model's id, or None for no model server. `env` reaches every process, `service_env`
    one service each. `fsync=False` is for tests that measure nothing and survive no power cut.
    """

    def __init__(
        self,
        home: Path,
        *,
        model: str | None = None,
        env: Mapping[str, str] | None = None,
        service_env: Mapping[str, Mapping[str, str]] | None = None,
        without: tuple[str, ...] = (),
        fsync: bool = False,
    ) -> None:
        self.home = Home(home)
        self.ports = _free_ports([*(service.name for service in SERVICES), "postgres", "model-server"])
        self._service_env = service_env or {}
        self.environment = self._make_environment(model, without=without, fsync=fsync) | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.ports[GATEWAY.name]}"

    def url(self, service: str) -> str:
        """A service's own address."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def settings_of(self, service: str) -> dict[str, str]:
        """What the env file of `service` says: DATABASE_URL, SERVICE_SIGNING_KEY, TOKEN_JWKS..."""
        values = dotenv_values(self.home.env / f"{service}.env")
        return {name: value for name, value in values.items() if value is not None}

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the supervisor and wait until every service is ready. Also starts it again after a kill.

        Raises: LocalError with what it printed.
        """
        self.home.prepare()
        for service, values in self._service_env.items():
            text = "".join(f"{name}={value}\n" for name, value in values.items())
            (self.home.env / f"{service}.local.env").write_text(text)
        with self.output_path.open("ab") as output:
            self._process = subprocess.Popen(
                bound_command([sys.executable, "-m", "atrium_local", "up"], signal.SIGTERM),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(self._is_up, _START_TIMEOUT_S, "the suite did not come up")

    @property
    def output_path(self) -> Path:
        """What the supervisor printed."""
        return self.home.root / "supervisor.out"

    def pids(self) -> dict[str, int]:
        """Process ids by name, the supervisor's among them."""
        state = self._state()
        found = (
            {process.name: process.pid for process in state.processes if process.pid is not None}
            if state
            else {}
        )
        return found | ({SUPERVISOR: self._process.pid} if self._process else {})

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal a process by name and give the process id it had."""
        pid = self.pids()[name]
        os.kill(pid, number)
        if name == SUPERVISOR and self._process is not None:
            self._process.wait(_STOP_TIMEOUT_S)
        return pid

    def wait_ready(
        self, name: str, *, not_pid: int | None = None, timeout_s: float = _READY_TIMEOUT_S
    ) -> None:
        """Wait until the process is ready; with `not_pid`, until it is another one than that.

        Raises: LocalError when it takes too long.
        """

        def ready() -> bool:
            process = self._process_state(name)
            return process is not None and process.state == "ready" and process.pid not in {None, not_pid}

        self._wait(ready, timeout_s, f"{name} did not become ready")

    def wait_model(self, timeout_s: float = 300) -> None:
        """Wait until the built-in model answers."""

        def ready() -> bool:
            try:
                return json.loads(self.home.model_status.read_text())["state"] == "ready"
            except (OSError, ValueError, KeyError):
                return False

        self._wait(ready, timeout_s, "the model did not become ready")

    def stop(self) -> None:
        """Ctrl-C; what does not end is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _state(self) -> SuiteState | None:
        return read_state(self.home.state)

    def _process_state(self, name: str) -> ProcessState | None:
        state = self._state()
        return state.process(name) if state else None

    def _is_up(self) -> bool:
        state = self._state()
        ours = self._process is not None and state is not None and state.supervisor_pid == self._process.pid
        return ours and state is not None and state.phase == "up" and self._answers()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/healthz", timeout=_HTTP_TIMEOUT_S) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except OSError:
            return False

    def _wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise LocalError(
                    f"{what}; the supervisor {'ended' if ended else 'runs'} and said:\n{self._output_tail()}"
                )
            time.sleep(_POLL_S)

    def _output_tail(self) -> str:
        return "\n".join(self.output_path.read_text(errors="replace").splitlines()[-30:])

    def _make_environment(
        self, model: str | None, *, without: tuple[str, ...], fsync: bool
    ) -> dict[str, str]:
        inherited = {name: value for name, value in environment().items() if name not in _INHERITED_NOT}
        ports = {service.port_variable: str(self.ports[service.name]) for service in SERVICES}
        return {
            **inherited,
            **ports,
            "POSTGRES_PORT": str(self.ports["postgres"]),
            "MODEL_PORT": str(self.ports["model-server"]),
            "ATRIUM_HOME": str(self.home.root),
            "ATRIUM_MODEL": model or "none",
            "POSTGRES_FSYNC": "true" if fsync else "false",
            "EXCEPT": ",".join(without),
            "SETUP_TOKEN": secrets.token_urlsafe(16),
            "PYTHONUNBUFFERED": "1",
        }


def _free_ports(names: list[str]) -> dict[str, int]:
    """A free port for each name, all different: every socket stays open until the last is bound."""
    sockets = [socket.socket() for _ in names]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return {name: opened.getsockname()[1] for name, opened in zip(names, sockets, strict=True)}
    finally:
        for opened in sockets:
            opened.close()
