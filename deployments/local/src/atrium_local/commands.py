"""What each `make` target of the local installation does."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from atrium_local import engines, requests
from atrium_local.console import read_model_status, say
from atrium_local.errors import LocalError
from atrium_local.extras import install_missing
from atrium_local.home import Home
from atrium_local.installation import Installation
from atrium_local.leftovers import clean
from atrium_local.processes import raise_open_files
from atrium_local.requests import ask_restart
from atrium_local.services import SERVICES
from atrium_local.settings import LocalSettings
from atrium_local.state import ProcessState, SuiteState, read_engines, read_state
from atrium_local.supervisor import Supervisor

NOTHING_RUNS = 3  # the exit status of `status`
_STOP_TIMEOUT_S = 90.0
_SILENT_MAX_S = 5.0
_NOTES_TIMEOUT_S = 3.0
_RESTART_TIMEOUT_S = 180.0
_POLL_S = 0.1
_LOG_LINES = "100"


def up(settings: LocalSettings) -> int:
    """Run everything until Ctrl-C."""
    raise_open_files()
    with _alone(settings) as home:
        with home.beating():
            for name in clean(home):
                say(f"  ended {name}, left behind by a supervisor that was killed")
            installation = Installation.open(settings)
            install_missing(installation)
        asyncio.run(_supervise(installation))
    return 0


@contextmanager
def _alone(settings: LocalSettings) -> Generator[Home]:
    """The home while nobody else may change what runs on it. Raises: LocalError when somebody does
    already.
    """
    signal.signal(requests.SIGNAL, requests.hold_back)  # before anybody can find us
    home = Home(settings.atrium_home)
    home.prepare()
    with home.locked():
        yield home


async def _supervise(installation: Installation) -> None:
    await Supervisor(installation).run()


def deps(settings: LocalSettings) -> int:
    """Start the engines and leave them running."""
    raise_open_files()
    with _alone(settings) as home, home.beating():
        clean(home)
        installation = Installation.open(settings)
        asyncio.run(engines.start_engines(installation))
    return 0


def status(settings: LocalSettings) -> int:
    """Print what runs. Exit status 3 when nothing does, as with other tools that run services."""
    home = Home(settings.atrium_home)
    supervisor_pid = home.supervisor_pid()
    state = _noted(home) if supervisor_pid is not None else None
    processes = list(state.processes) if state else read_engines(home.engines)
    if supervisor_pid is not None:
        silent_s = home.silent_for_s()
        frozen = (
            f", which has been silent for {silent_s:.0f} s: `make stop` ends it"
            if silent_s > _SILENT_MAX_S
            else ""
        )
        say(
            f"{state.address if state else home.root} ({state.phase if state else 'at work'}, supervisor "
            f"{supervisor_pid}{frozen})"
        )
    elif not processes:
        say(f"Nothing runs on {home.root}: `make run` starts Atrium.")
        return NOTHING_RUNS
    if supervisor_pid is not None and state is None:
        say(
            f"  its notes in {home.state} are not there yet or cannot be read; it writes them as soon as it "
            "can"
        )
    for process in processes:
        say(line_of(process))
    model = read_model_status(home.model_status)
    if model:
        say(f"  {model.get('model')}: {model.get('state')} {model.get('detail') or ''}".rstrip())
    return 0


def _noted(home: Home) -> SuiteState | None:
    """What the running supervisor wrote down; damaged notes are written again within a second or two."""
    deadline = time.monotonic() + _NOTES_TIMEOUT_S
    while (state := read_state(home.state)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return state


def line_of(process: ProcessState) -> str:
    """What `make status` says of one process."""
    alive = process.identity is not None and process.identity.alive()
    pid = str(process.pid) if alive else "-"
    is_gone = bool(process.reason) and process.state != "done"  # a task that is done has no one before it
    reason = f" (the one before {process.reason})" if is_gone else ""
    return (
        f"  {process.name:<18} {process.state:<10} pid {pid:<8} port {process.port or '-':<6} restarts "
        f"{process.restarts}{reason}"
    )


def stop(settings: LocalSettings) -> int:
    """Stop the supervisor in its own order, then engines that `make deps` left running."""
    home = Home(settings.atrium_home)
    supervisor_pid = home.supervisor_pid()
    if supervisor_pid is not None:
        os.kill(supervisor_pid, signal.SIGTERM)
        if not _wait_unlocked(home):
            say(f"The supervisor (process {supervisor_pid}) does not react and is ended.")
            os.kill(supervisor_pid, signal.SIGKILL)
            _wait_unlocked(home)
            _end_left_behind(home)
        say("Atrium has stopped; its data stays.")
        ended = True
    else:
        ended = home.run.is_dir() and _end_left_behind(home)
    for name in engines.stop_engines(read_engines(home.engines)):
        say(f"Stopped {name}.")
        ended = True
    home.engines.unlink(missing_ok=True)
    if not ended:
        say(f"Nothing runs on {home.root}: there is nothing to stop.")
    return 0


def _wait_unlocked(home: Home) -> bool:
    """False when the supervisor shows no sign of life, or takes longer than anything it waits for."""
    began = time.monotonic()
    while home.is_locked():
        waited_s = time.monotonic() - began
        if waited_s > _STOP_TIMEOUT_S or (waited_s > _SILENT_MAX_S and home.silent_for_s() > _SILENT_MAX_S):
            return False
        time.sleep(_POLL_S)
    return True


def _end_left_behind(home: Home) -> bool:
    """Whether there was anything."""
    with home.locked():
        ended = clean(home)
    for name in ended:
        say(f"Stopped {name}.")
    return bool(ended)


def restart(settings: LocalSettings, names: list[str]) -> int:
    """Put new processes in the place of the named ones, or of all services, one after the other; nobody is
    refused meanwhile.
    """
    home = Home(settings.atrium_home)
    failed = False
    for name in names or [
        service.name for service in reversed(SERVICES) if service.name not in settings.left_out
    ]:
        answer = ask_restart(home, name, timeout_s=_RESTART_TIMEOUT_S)
        say(answer.text)
        failed = failed or not answer.ok
    return 1 if failed else 0


def logs(settings: LocalSettings, names: list[str]) -> int:
    """Follow the logs, all or the named ones."""
    folder = Home(settings.atrium_home).logs
    paths = [folder / f"{name}.log" for name in names] if names else sorted(folder.glob("*.log"))
    missing = [path.stem for path in paths if not path.exists()]
    if missing or not paths:
        known = ", ".join(path.stem for path in sorted(folder.glob("*.log"))) or "none yet"
        raise LocalError(f"There is no log of {', '.join(missing) or 'anything'}: the logs are {known}.")
    return subprocess.run(["tail", "-n", _LOG_LINES, "-F", *map(str, paths)], check=False).returncode


def reset(settings: LocalSettings, *, sure: bool) -> int:
    """Delete all data of this installation, after asking. Downloaded weights stay."""
    home = Home(settings.atrium_home)
    if home.is_locked() or read_engines(home.engines):
        raise LocalError("Atrium is running: stop it with `make stop` first.")
    if not home.root.exists():
        say(f"{home.root} does not exist: there is nothing to delete.")
        return 0
    if not (home.root / "layout").exists():
        raise LocalError(f"{home.root} is not a folder of Atrium: nothing was deleted.")
    if not sure and not _confirmed(home):
        say("Nothing was deleted.")
        return 1
    shutil.rmtree(home.root)
    say(f"{home.root} is deleted.")
    return 0


def _confirmed(home: Home) -> bool:
    question = f"This deletes all chats, users and the ledger in {home.root}. Type yes to go on: "
    if not sys.stdin.isatty():
        raise LocalError("`make reset` asks before it deletes: run it in a terminal, or with CONFIRM=yes.")
    return input(question).strip().lower() == "yes"
