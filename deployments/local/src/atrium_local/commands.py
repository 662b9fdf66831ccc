"""What each `make` target of the local installation does."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time

from atrium_local import engines
from atrium_local.console import read_model_status, say
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.installation import Installation
from atrium_local.leftovers import clean
from atrium_local.settings import LocalSettings
from atrium_local.state import read_engines, read_state
from atrium_local.supervisor import Supervisor

_STOP_TIMEOUT_S = 90.0
_POLL_S = 0.1
_LOG_LINES = "100"


def up(settings: LocalSettings) -> int:
    """Run everything until Ctrl-C."""
    home = Home(settings.atrium_home)
    home.prepare()
    with home.locked():
        for name in clean(home):
            say(f"  ended {name}, left behind by a supervisor that was killed")
        installation = Installation.open(settings)
        asyncio.run(_supervise(installation))
    return 0


async def _supervise(installation: Installation) -> None:
    await Supervisor(installation).run()


def deps(settings: LocalSettings) -> int:
    """Start the engines and leave them running."""
    home = Home(settings.atrium_home)
    home.prepare()
    with home.locked():
        clean(home)
        installation = Installation.open(settings)
        asyncio.run(engines.start_engines(installation))
    return 0


def status(settings: LocalSettings) -> int:
    """Print what runs. Exit status 1 when nothing does."""
    home = Home(settings.atrium_home)
    state = read_state(home.state) if home.is_locked() else None
    processes = list(state.processes) if state else read_engines(home.engines)
    if not processes:
        say(f"Nothing runs on {home.root}: `make run` starts Atrium.")
        return 1
    if state is not None:
        say(f"{state.address} ({state.phase}, supervisor {state.supervisor_pid})")
    for process in processes:
        alive = process.identity is not None and process.identity.alive()
        pid = str(process.pid) if alive else "-"
        say(f"  {process.name:<18} {process.state:<10} pid {pid:<8} port {process.port or '-':<6} restarts {process.restarts}")
    model = read_model_status(home.model_status)
    if model:
        say(f"  {model.get('model')}: {model.get('state')} {model.get('detail') or ''}".rstrip())
    return 0


def stop(settings: LocalSettings) -> int:
    """Stop the supervisor in its own order, then engines that `make deps` left running."""
    home = Home(settings.atrium_home)
    state = read_state(home.state)
    if home.is_locked() and state is not None:
        os.kill(state.supervisor_pid, signal.SIGTERM)
        _wait_unlocked(home)
        say("Atrium has stopped; its data stays.")
    elif home.run.is_dir():
        with home.locked():
            for name in clean(home):
                say(f"Stopped {name}.")
    for name in engines.stop_engines(read_engines(home.engines)):
        say(f"Stopped {name}.")
    home.engines.unlink(missing_ok=True)
    return 0


def _wait_unlocked(home: Home) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while home.is_locked():
        if time.monotonic() > deadline:
            raise LocalError("Atrium does not stop: see `make logs`, or kill the processes that `make status` names.")
        time.sleep(_POLL_S)


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
