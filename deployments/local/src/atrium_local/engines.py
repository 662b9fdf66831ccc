"""`make deps`: only the engines, left running for services started by hand; `make run` adopts them later."""

import asyncio
import subprocess
import sys
import time

from atrium_local.console import follow_model, say
from atrium_local.errors import LocalError
from atrium_local.installation import MODEL_SERVER, POSTGRES, Installation
from atrium_local.leftovers import end_process
from atrium_local.life import Spec
from atrium_local.listeners import check_port
from atrium_local.postgres import PostgresServer
from atrium_local.processes import ProcessIdentity
from atrium_local.state import ProcessState, read_engines, write_engines

_READY_TIMEOUT_S = 60.0
_POLL_S = 0.1
_VARIABLES = {POSTGRES: "POSTGRES_PORT", MODEL_SERVER: "MODEL_PORT"}


async def start_engines(installation: Installation) -> None:
    """Start what is not running yet, provision and migrate, and wait until the model answers.

    Raises: LocalError.
    """
    settings, home = installation.settings, installation.home
    running = {engine.name: engine for engine in read_engines(home.engines)}
    if settings.runs_postgres:
        server = installation.postgres()
        if POSTGRES not in running:
            server.initialise()
            running[POSTGRES] = _start(installation.postgres_spec(server))
            write_engines(home.engines, running.values())  # at once: what is not noted outlives us unknown
        await _wait_postgres(server, running[POSTGRES])
    if settings.runs_model and MODEL_SERVER not in running:
        running[MODEL_SERVER] = _start(installation.model_spec())
        write_engines(home.engines, running.values())
    _run_job("atrium_local.prepare")
    say("  database ready: roles, schemas and migrations are in place")
    if settings.embedding_model_path is None:
        _run_job("atrium_local.weights", *list(installation.embedding_spec().command)[3:])
    if settings.runs_model:
        await _wait_model(installation, running[MODEL_SERVER])
    _say_how_to_go_on(installation)


def stop_engines(installation_home_engines: list[ProcessState]) -> list[str]:
    """End the given engines, PostgreSQL last, and give their names."""
    ordered = sorted(installation_home_engines, key=lambda engine: engine.name == POSTGRES)
    for engine in ordered:
        if engine.identity is not None:
            end_process(engine.name, engine.identity)
    return [engine.name for engine in ordered]


async def _wait_postgres(server: PostgresServer, engine: ProcessState) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while engine.pid is None or not server.answers_as(engine.pid):
        if engine.identity is None or not engine.identity.alive() or time.monotonic() > deadline:
            raise LocalError(f"PostgreSQL did not start (log: {engine.log})")
        await asyncio.sleep(_POLL_S)
    say(f"  {POSTGRES} ready on port {engine.port}")


def _start(spec: Spec) -> ProcessState:
    """Start it in a session of its own, so that it outlives us."""
    if spec.port is not None:
        check_port("127.0.0.1", spec.port, owner=spec.name, variable=_VARIABLES[spec.name])
    if spec.before_start is not None:
        spec.before_start()
    with spec.log_path.open("ab") as log:
        process = subprocess.Popen(
            spec.command,
            cwd=spec.cwd,
            env=None if spec.environment is None else spec.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    identity = ProcessIdentity.of(process.pid)
    return ProcessState(
        name=spec.name,
        state="ready",
        pid=process.pid,
        started=identity.started if identity else None,
        port=spec.port,
        restarts=0,
        adopted=False,
        log=str(spec.log_path),
    )


def _run_job(module: str, *arguments: str) -> None:
    """Raises: LocalError when it fails; it has printed why."""
    if (
        subprocess.run(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, check=False
        ).returncode
        != 0
    ):
        raise LocalError("The engines are not complete; correct the line above and run `make deps` again.")


async def _wait_model(installation: Installation, engine: ProcessState) -> None:
    following = asyncio.create_task(
        follow_model(installation.home.model_status, installation.settings.model_id)
    )
    while not following.done():
        if engine.identity is None or not engine.identity.alive():
            following.cancel()
            raise LocalError(f"The model server ended (log: {engine.log}).")
        await asyncio.wait({following}, timeout=_POLL_S)


def _say_how_to_go_on(installation: Installation) -> None:
    say(f"\nThe engines run; settings of each service are in {installation.home.env}.")
    say("One service by hand: cd inference-service && uvicorn app.main:app --reload --port 8001")
    say("The rest around it:  make run EXCEPT=inference-service")
    say("Stop them:           make stop")
