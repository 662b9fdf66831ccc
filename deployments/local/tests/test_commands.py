"""`status`, `stop` and `restart` beside a supervisor of this home that is well, frozen or badly noted; no
service is started.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from atrium_local import commands, files, processes, requests
from atrium_local import home as home_module
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.requests import take_requests
from atrium_local.settings import LocalSettings
from atrium_local.state import ProcessState, read_state
from suite.waiting import is_within

PATIENCE_S = 30.0

# A supervisor with one tiny process, whose state, heart and end are the real ones.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from atrium_local.home import Home
from atrium_local.installation import Installation
from atrium_local.life import Spec
from atrium_local.settings import LocalSettings
from atrium_local import supervisor as module

class Tiny(module.Supervisor):
    async def _start(self):
        self._spawn_task(self._beat())
        for name in ("cat", "dog"):
            self._supervise(Spec(
                name=name,
                command=[sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
                environment=None, cwd=Path.cwd(), log_path=self._installation.home.logs / f"{name}.log",
                port=None, ready=None, stop_patience_s=2,
            ))
        self._phase = "up"
        self._write_state()
        self._spawn_task(self._housekeeping())

async def main():
    await Tiny(installation).run()

settings = LocalSettings()
home = Home(settings.atrium_home)
home.prepare()
with home.locked():
    installation = Installation.open(settings)
    asyncio.run(main())
"""


class Running:
    """The supervisor's process and its home."""

    def __init__(self, home: Home, process: subprocess.Popen[str]) -> None:
        self.home = home
        self.process = process

    @property
    def settings(self) -> LocalSettings:
        return LocalSettings(atrium_home=self.home.root)

    def pid_of(self, name: str) -> int | None:
        state = read_state(self.home.state)
        found = state.process(name) if state else None
        return found.pid if found and found.state == "ready" else None


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(tmp_path: Path, prelude: str = "", **options: object) -> Running:
    environment = {**os.environ, "ATRIUM_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", prelude + PROGRAM], env=environment, text=True, **options
    )  # type: ignore[call-overload]
    return Running(Home(tmp_path / "home"), process)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = start(tmp_path, stdout=subprocess.DEVNULL)
    try:
        until(lambda: found.pid_of("cat") and found.pid_of("dog"))
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def test_damaged_notes_confuse_nobody(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    running.home.state.write_text('{"half')
    assert commands.status(running.settings) == 0
    shown = capsys.readouterr().out
    assert f"supervisor {running.process.pid}" in shown
    assert "cat" in shown
    running.home.state.write_text("")
    os.kill(running.process.pid, signal.SIGSTOP)  # it cannot write them again
    assert commands.status(running.settings) == 0
    assert "cannot be read" in capsys.readouterr().out
    os.kill(running.process.pid, signal.SIGCONT)
    running.home.state.unlink(missing_ok=True)
    assert commands.stop(running.settings) == 0
    assert running.process.wait(PATIENCE_S) == 0
    assert commands.status(running.settings) == commands.NOTHING_RUNS


def test_a_frozen_supervisor_is_said_to_be_silent_and_stopped_within_15_s(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    children = [running.pid_of("cat"), running.pid_of("dog")]
    os.kill(running.process.pid, signal.SIGSTOP)
    until(lambda: running.home.silent_for_s() > 5)
    commands.status(running.settings)
    assert "has been silent for" in capsys.readouterr().out
    began = time.monotonic()
    assert commands.stop(running.settings) == 0
    assert is_within(time.monotonic() - began, 15)
    assert not running.home.is_locked()
    until(lambda: not any(pid and processes.ProcessIdentity.of(pid) for pid in children))


def test_one_process_is_restarted_by_its_name_and_another_name_is_refused(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    cat, dog = running.pid_of("cat"), running.pid_of("dog")
    assert commands.restart(running.settings, ["cat"]) == 0
    assert "cat is a new process" in capsys.readouterr().out
    assert running.pid_of("dog") == dog
    assert running.pid_of("cat") not in {None, cat}
    assert commands.restart(running.settings, ["mouse"]) == 1
    assert "There is no process mouse: there are cat, dog." in capsys.readouterr().out
    assert list(running.home.requests.iterdir()) == []


def test_a_request_that_is_damaged_is_thrown_away(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.requests.mkdir()
    for name, text in (("a", "{"), ("b", '["cat"]'), ("c", json.dumps({"restart": "cat"}))):
        (home.requests / f"{os.getpid()}-{name}.json").write_text(text)
    assert [request.restart for request in take_requests(home)] == ["cat"]
    assert take_requests(home) == []
    assert list(home.requests.iterdir()) == []


def test_what_was_asked_of_an_earlier_supervisor_is_thrown_away(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.requests.mkdir()
    (home.requests / "1-a.json").write_text(json.dumps({"restart": "cat"}))
    (home.requests / "1-b.answer").write_text("{}")
    (home.requests / f"{os.getpid()}-c.answer").write_text("{}")
    assert take_requests(home) == []
    assert [path.name for path in home.requests.iterdir()] == [f"{os.getpid()}-c.answer"]


# What `make run` and `make deps` are before anything listens: in a download, or in initdb.
BUSY = """
import time
from atrium_local import commands
from atrium_local.settings import LocalSettings

with commands._alone(LocalSettings()) as home, home.beating():
    print("busy", flush=True)
    time.sleep(600)
"""


def test_a_restart_asked_for_too_early_does_not_end_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    environment = {**os.environ, "ATRIUM_HOME": str(home.root)}
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "busy\n"
            with pytest.raises(LocalError, match="did not answer"):
                requests.ask_restart(home, "cat", timeout_s=0.5)
            assert process.poll() is None
            before = home.pulse.stat().st_mtime
            until(lambda: home.pulse.stat().st_mtime > before)
            assert commands.status(LocalSettings(atrium_home=home.root)) == 0
            assert "silent" not in capsys.readouterr().out
        finally:
            process.kill()
    assert list(home.requests.iterdir()) == []


def test_somebody_who_looks_whether_it_runs_does_not_keep_it_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.prepare()
    looking = [files.try_lock(home.lock_path)]

    def take(path: Path) -> object:
        found = files.try_lock(path)
        if looking and (looked := looking.pop()) is not None:
            looked.close()  # it has looked
        return found

    monkeypatch.setattr(home_module, "try_lock", take)
    with home.locked():
        assert not looking


def test_a_home_of_yesterday_is_not_said_to_be_silent(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.pulse.touch()
    os.utime(home.pulse, (1, 1))
    with home.locked():
        assert home.silent_for_s() < 3600


@pytest.mark.parametrize("pid", [0, -1, -4711])
def test_a_supervisor_out_of_reach_is_never_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    """What the kernel says of a lock in another container, or behind NFS, would be groups of processes to
    kill(2).
    """
    found = LocalSettings(atrium_home=tmp_path)
    Home(tmp_path).prepare()
    signalled: list[int] = []
    monkeypatch.setattr(home_module.Home, "is_locked", lambda _: True)
    monkeypatch.setattr(home_module, "holder_of", lambda _: pid)
    monkeypatch.setattr(os, "kill", lambda target, _number: signalled.append(target))
    for ask in (commands.status, commands.stop, lambda settings: commands.restart(settings, ["cat"])):
        with pytest.raises(LocalError, match="in another container or on another machine"):
            ask(found)
    assert signalled == []


def test_with_nothing_running_each_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path / "none", tmp_path / "empty"):
        if folder.name == "empty":
            Home(folder).prepare()
        found = LocalSettings(atrium_home=folder)
        assert commands.stop(found) == 0
        assert commands.status(found) == commands.NOTHING_RUNS
        assert capsys.readouterr().out.splitlines() == [
            f"Nothing runs on {folder}: there is nothing to stop.",
            f"Nothing runs on {folder}: `make run` starts Atrium.",
        ]


def test_make_adds_no_error_of_its_own_when_nothing_runs(tmp_path: Path) -> None:
    clone = LocalSettings(atrium_home=tmp_path).clone_root
    recipe = subprocess.run(
        ["make", "-n", "-C", str(clone), "status"], capture_output=True, text=True, check=True
    ).stdout
    status = next(line for line in recipe.splitlines() if "atrium_local status" in line)
    for ends_with, shown in ((0, 0), (3, 0), (1, 1), (2, 1)):
        command = f"(exit {ends_with}) {status[status.index('||') :]}"
        assert subprocess.run(["sh", "-c", command], check=False).returncode == shown


def test_a_reader_of_the_output_that_leaves_changes_nothing(tmp_path: Path) -> None:
    found = start(tmp_path, stdout=subprocess.PIPE)
    try:
        until(lambda: found.pid_of("cat"))
        assert found.process.stdout is not None
        found.process.stdout.close()
        for _ in range(3):
            before = found.pid_of("cat")
            assert before is not None
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: found.pid_of("cat") not in {None, before})
        assert found.process.poll() is None
    finally:
        found.process.terminate()
        assert found.process.wait(PATIENCE_S) in {0, 120}  # 120: what was left to say could not be said


def test_a_house_job_that_fails_is_tried_again_and_stops_nothing(tmp_path: Path) -> None:
    broken = (
        "import errno\nfrom atrium_local import supervisor\nsupervisor._HOUSEKEEPING_S = 0.05\n"
        "def rotate_all(folder):\n    (folder / 'tried').open('a').write('x')\n    raise "
        "OSError(errno.ENOSPC, 'No space left on device')\n"
        "supervisor.rotate_all = rotate_all\n"
    )
    found = start(tmp_path, broken, stdout=subprocess.PIPE)
    try:
        tried = found.home.logs / "tried"
        until(lambda: tried.exists() and len(tried.read_text()) > 3)
        assert found.process.poll() is None
        assert found.pid_of("cat")
    finally:
        found.process.terminate()
        output, _ = found.process.communicate(timeout=PATIENCE_S)
    assert output.count("logs could not be rotated (No space left on device)") == 1


def test_children_may_open_as_many_files_as_the_machine_allows(tmp_path: Path) -> None:
    program = (
        "import resource, subprocess, sys\n"
        "from atrium_local.processes import raise_open_files\n"
        "raise_open_files()\n"
        "child = 'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)\n"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, preexec_fn=lower
    )
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    assert int(done.stdout) in {wanted, 10_240}


@pytest.mark.parametrize(("state", "told"), [("done", False), ("ready", True)])
def test_only_what_runs_had_one_before_it(state: str, told: bool) -> None:
    seen = ProcessState(
        name="cat",
        state=state,
        pid=None,
        started=None,
        port=None,
        restarts=0,
        adopted=False,
        log="cat.log",
        reason="ended with status 0",
    )
    assert ("the one before" in commands.line_of(seen)) is told
