"""`make run`: everything up in the right order, kept up, and down again in the reverse one."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any, cast

from atrium_local import requests
from atrium_local.console import follow_model, read_model_status, report_change, say
from atrium_local.errors import LocalError, WrongSettingsError
from atrium_local.installation import MODEL_SERVER, POSTGRES, Installation
from atrium_local.life import Spec
from atrium_local.listeners import Listener, check_port
from atrium_local.logfiles import rotate_all
from atrium_local.passing import SUPERVISOR
from atrium_local.probes import get
from atrium_local.processes import bound_command
from atrium_local.progress import ModelStatus
from atrium_local.services import GATEWAY, Service
from atrium_local.state import ProcessState, SuiteState, read_engines, read_state
from atrium_local.supervised import Supervised
from atrium_local.webclient import WebClient

_POSTGRES_START_S = 30.0
_SERVICE_START_S = 60.0
_HOUSEKEEPING_S = 30.0
_BEAT_S = 1.0
_CONFIG_TRIES_MAX = 10
_PROCESS_ORDER = (
    "gateway",
    "chat-service",
    "agent-service",
    "retrieval-service",
    "inference-service",
    "billing-service",
)


class Supervisor:
    """Runs one installation until it is told to stop. Build it inside the event loop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._processes: dict[str, Supervised] = {}
        self._listeners: dict[Service, Listener] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._phase = "starting"
        self._stop = asyncio.Event()
        self._hurry = False

    async def run(self) -> None:
        """Start everything, wait for the end, stop everything.

        Raises: LocalError when the start cannot work; what ran by then is stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(requests.SIGNAL, self._on_request)
        self._on_request()  # what was asked before we listened
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await self._stop.wait()
        finally:
            starting.cancel()
            stopping.cancel()
            with contextlib.suppress(
                asyncio.CancelledError, Exception
            ):  # whatever it was: what runs by now is stopped in order
                await starting
            await self._shut_down()

    def _on_signal(self) -> None:
        if not self._stop.is_set():
            say("\nStopping; press Ctrl-C again to kill what does not end.")
            self._stop.set()
            return
        self._hurry = True
        for process in self._processes.values():
            process.kill()

    def _on_request(self) -> None:
        for request in requests.take_requests(self._installation.home):
            self._spawn_task(self._restart(request))

    async def _restart(self, request: requests.Request) -> None:
        """Put a new process in place of a running one, and tell whoever asked how that went."""
        processes, began = self._processes_of(request.restart), time.monotonic()
        if not processes:
            known = (
                f"there are {', '.join(self._processes)}"
                if self._phase == "up"
                else f"Atrium is {self._phase}"
            )
            answer = requests.Answer(ok=False, text=f"There is no process {request.restart}: {known}.")
        else:
            try:
                for process in processes:
                    await process.replace("was restarted on request")
                now = "is a new process" if len(processes) == 1 else f"is {len(processes)} new processes"
                answer = requests.Answer(
                    ok=True, text=f"{request.restart} {now} after {time.monotonic() - began:.1f} s."
                )
            except LocalError as error:
                answer = requests.Answer(ok=False, text=str(error))
        request.answer(answer)

    def _processes_of(self, name: str) -> list[Supervised]:
        """The one of this name, then those that serve beside it: `gateway`, `gateway-2`..."""
        named = re.compile(rf"{re.escape(name)}(-\d+)?")
        return [process for each, process in self._processes.items() if named.fullmatch(each)]

    # Starting

    async def _start(self) -> None:
        began = time.monotonic()
        self._open_ports()
        self._spawn_task(self._beat())
        self._write_state()
        build = asyncio.create_task(self._build_web())
        try:
            self._start_models()
            await self._start_database()
            await self._prepare()
            await self._start_services(build)
        finally:
            build.cancel()
        self._phase = "up"
        self._write_state()
        await self._announce(time.monotonic() - began)
        self._spawn_task(self._housekeeping())

    def _open_ports(self) -> None:
        """Raises: LocalError for a port that another program has."""
        settings, running = self._installation.settings, {engine.name for engine in self._engines()}
        for service in self._installation.started_services():
            self._listeners[service] = self._installation.listener(service)
        if settings.runs_postgres and POSTGRES not in running:
            check_port("127.0.0.1", settings.postgres_port, owner=POSTGRES, variable="POSTGRES_PORT")
        if settings.runs_model and MODEL_SERVER not in running:
            check_port("127.0.0.1", settings.model_port, owner=MODEL_SERVER, variable="MODEL_PORT")

    def _engines(self) -> list[ProcessState]:
        return read_engines(self._installation.home.engines)

    def _start_models(self) -> None:
        settings = self._installation.settings
        if settings.embedding_model_path is None:
            self._supervise(self._installation.embedding_spec())
        if settings.runs_model:
            self._supervise(self._installation.model_spec())
            self._spawn_task(follow_model(self._installation.home.model_status, settings.model_id))

    async def _start_database(self) -> None:
        """Raises: LocalError with the server's own words when it does not come up."""
        if not self._installation.settings.runs_postgres:
            return
        server = self._installation.postgres()
        await asyncio.to_thread(server.initialise)  # takes seconds, in which this loop shows that it lives
        process = self._supervise(self._installation.postgres_spec(server))
        if not await process.wait_ready(_POSTGRES_START_S):
            raise LocalError(
                f"PostgreSQL did not start: {process.last_log_line()} (log: {process.spec.log_path})"
            )

    async def _prepare(self) -> None:
        """Provision and migrate in a process of its own. Raises: LocalError."""
        command = bound_command([sys.executable, "-m", "atrium_local.prepare"], signal.SIGKILL)
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self._installation.environments.child_base(SUPERVISOR),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        _, errors = await process.communicate()
        log_path = self._installation.home.logs / "prepare.log"
        log_path.write_bytes(errors)
        if process.returncode != 0:
            lines = errors.decode(errors="replace").strip().splitlines() or ["no message"]
            raise LocalError(f"{lines[-1]} (log: {log_path})")

    async def _start_services(self, build: asyncio.Task[None]) -> None:
        services = self._installation.started_services()
        started = [
            self._supervise(spec)
            for service in services
            if service is not GATEWAY
            for spec in self._specs_of(service)
        ]
        await build  # the gateway reads the page when it starts
        if GATEWAY in services:
            started += [self._supervise(spec) for spec in self._specs_of(GATEWAY)]
        waiting = {asyncio.create_task(process.wait_ready(_SERVICE_START_S)) for process in started}
        try:
            while waiting:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for process in started:
                    if process.wrong_settings:
                        raise WrongSettingsError(process.last_log_line())
        finally:
            for task in waiting:
                task.cancel()
        for process in started:
            if process.state != "ready":
                say(
                    f"  {process.spec.name} is not ready yet: {process.last_log_line()} (log: "
                    f"{process.spec.log_path})"
                )

    def _specs_of(self, service: Service) -> list[Spec]:
        return self._installation.service_specs(service, self._listeners[service])

    async def _build_web(self) -> None:
        web = WebClient(
            self._installation.settings.clone_root / "web", self._installation.home.logs / "web-build.log"
        )
        try:
            await web.build_if_stale(lambda: say("  building the web client"))
        except LocalError as error:
            say(f"  {error}")

    async def _announce(self, took_s: float) -> None:
        installation = self._installation
        if installation.settings.weak_secret is not None:
            say(f"\nWarning: {installation.settings.weak_secret}.")
        say(f"\nAtrium is up after {took_s:.1f} s: {installation.address}")
        if GATEWAY.name in installation.settings.left_out:
            return
        if await self._needs_first_person():
            token = installation.environments.service_values(GATEWAY)["SETUP_TOKEN"]
            say(f"Sign up as the administrator: {installation.address}/signup?setup={token}")
        say("Ctrl-C stops it and keeps the data.")

    async def _needs_first_person(self) -> bool:
        for _ in range(_CONFIG_TRIES_MAX):
            installation = self._installation
            answer = await get(
                installation.settings.port,
                "/api/v1/auth/config",
                host=installation.probe_host,
                called=installation.called,
            )
            if answer is not None and answer[0] == 200:
                config = cast("dict[str, Any]", json.loads(answer[1]))
                return bool(config.get("setup_required"))
            await asyncio.sleep(1)
        return False

    # Running

    def _supervise(self, spec: Spec) -> Supervised:
        found = next((engine for engine in self._engines() if engine.name == spec.name), None)
        process = Supervised(spec, self._on_change, adopt=found.identity if found else None)
        self._processes[spec.name] = process
        self._spawn_task(process.run())
        return process

    def _on_change(self, process: Supervised) -> None:
        report_change(process)
        if process.spec.name == MODEL_SERVER and process.state == "restarting":
            with contextlib.suppress(OSError):  # a full disk
                self._model_is_away()
        if process.spec.name == POSTGRES and process.state == "ready":
            for other in self._processes.values():
                other.wake()
        self._write_state()

    def _model_is_away(self) -> None:
        """A killed model server leaves `ready` behind in its file; one that failed has said why, and that
        stays.
        """
        status = read_model_status(self._installation.home.model_status) or {}
        if status.get("state") not in {"ready", "starting"}:
            return
        home, model_id = self._installation.home, self._installation.settings.model_id
        ModelStatus(
            state="starting", model=model_id, detail="the model server ended and is started again"
        ).write(home.model_status)

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """A job that fails takes nothing with it."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            say(f"  internal error: {task.exception()!r}")

    async def _beat(self) -> None:
        """Show that we are not stuck, and keep the notes readable whatever happens to the file."""
        home = self._installation.home
        while True:
            with contextlib.suppress(OSError):
                home.beat()
                if read_state(home.state) is None:
                    self._write_state()
            await asyncio.sleep(_BEAT_S)

    async def _housekeeping(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            try:
                await asyncio.to_thread(rotate_all, self._installation.home.logs)
                told = ""
            except OSError as error:
                if str(error) != told:
                    say(
                        f"  logs could not be rotated ({error.strerror or error}); it is tried again every "
                        f"{_HOUSEKEEPING_S:.0f} s"
                    )
                told = str(error)

    def _write_state(self) -> None:
        states = tuple(_state_of(process) for process in self._processes.values())
        state = SuiteState(
            supervisor_pid=os.getpid(),
            phase=self._phase,
            address=self._installation.address,
            processes=states,
        )
        with contextlib.suppress(OSError):  # a full disk must not end the supervisor
            state.write(self._installation.home.state)

    # Stopping

    async def _shut_down(self) -> None:
        self._phase = "stopping"
        self._write_state()
        await asyncio.gather(*(process.kill_if_frozen() for process in self._processes.values()))
        rest = [process for name, process in self._processes.items() if name != POSTGRES]
        for name in _PROCESS_ORDER:
            await asyncio.gather(*(process.stop() for process in self._processes_of(name)))
            rest = [process for process in rest if process not in self._processes_of(name)]
        await asyncio.gather(*(process.stop() for process in rest))
        if POSTGRES in self._processes:
            await self._processes[POSTGRES].stop()
        for task in self._tasks:
            task.cancel()
        for listener in self._listeners.values():
            listener.close()
        self._phase = "stopped"
        self._write_state()


def _state_of(process: Supervised) -> ProcessState:
    identity = process.identity
    return ProcessState(
        name=process.spec.name,
        state=process.state,
        pid=identity.pid if identity else None,
        started=identity.started if identity else None,
        port=process.spec.port,
        restarts=process.restarts,
        adopted=process.adopted,
        log=str(process.spec.log_path),
        reason=process.reason,
    )
