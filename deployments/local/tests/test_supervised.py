"""A supervised process, shown on tiny programs: it comes back, with growing pauses, and goes when we go."""

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from atrium_local import supervised
from atrium_local.console import report_change
from atrium_local.errors import LocalError
from atrium_local.life import Answer, Life, Spec
from atrium_local.listeners import check_port
from atrium_local.processes import ProcessIdentity, end
from atrium_local.supervised import Supervised
from suite.waiting import eventually

PATIENCE_S = 20.0
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"


def spec(tmp_path: Path, program: str, **changes: object) -> Spec:
    settings: dict = {
        "name": "tiny",
        "command": [sys.executable, "-c", program],
        "environment": None,
        "cwd": tmp_path,
        "log_path": tmp_path / "tiny.log",
        "port": None,
        "ready": None,
        "stop_patience_s": 5,
    }
    return Spec(**(settings | changes))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_killed_process_comes_back_and_a_stopped_one_does_not(tmp_path: Path) -> None:
    process = Supervised(spec(tmp_path, SLEEPER), lambda _: None)
    running = asyncio.create_task(process.run())
    assert await process.wait_ready(PATIENCE_S)
    first = process.identity
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    await eventually(lambda: process.identity not in {None, first})
    await process.stop()
    await running
    assert process.state == "stopped"
    assert process.restarts == 1
    assert process.identity is None


async def test_a_process_that_keeps_failing_is_started_with_growing_pauses_that_stay_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_PAUSES_S", (0.0, 0.0, 0.1, 0.4))
    began: list[float] = []

    reasons: set[str | None] = set()

    def note(process: Supervised) -> None:
        if process.state == "starting":
            began.append(time.monotonic())
        elif process.state == "restarting":
            reasons.add(process.reason)

    process = Supervised(spec(tmp_path, "raise SystemExit(3)"), note)
    running = asyncio.create_task(process.run())
    await eventually(lambda: len(began) >= 5)
    await process.stop()
    await running
    pauses = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert reasons == {"ended with status 3"}
    assert pauses[2] > pauses[0] + 0.2
    assert pauses[3] > pauses[0] + 0.2


def test_no_pause_is_longer_than_a_few_seconds() -> None:
    assert max(supervised._PAUSES_S) <= 5


async def test_a_pause_ends_when_the_disk_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_PAUSES_S", (0.0, 3600.0))
    full = [True]
    monkeypatch.setattr(supervised, "is_disk_full", lambda _: full[0])
    states: list[str] = []
    process = Supervised(spec(tmp_path, "raise SystemExit(1)"), lambda changed: states.append(changed.state))
    running = asyncio.create_task(process.run())
    await eventually(lambda: states.count("restarting") == 1)
    full[0] = False
    await eventually(lambda: states.count("starting") == 2)
    await process.stop()
    await running


async def test_what_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    process = Supervised(spec(tmp_path, SLEEPER, cwd=folder), lambda _: None)
    running = asyncio.create_task(process.run())
    await eventually(lambda: process.restarts >= 2)
    folder.mkdir()
    assert await process.wait_ready(PATIENCE_S)
    await process.stop()
    await running


async def test_a_process_that_does_not_answer_three_times_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_HEALTH_INTERVAL_S", 0.05)
    frozen: set[int | None] = set()
    asked: list[int | None] = []

    async def health(life: Life) -> Answer:
        asked.append(life.pid)
        return "silent" if life.pid in frozen else "good"

    process = Supervised(spec(tmp_path, SLEEPER, health=health), lambda _: None)
    running = asyncio.create_task(process.run())
    await eventually(lambda: len(asked) >= 2)
    first = process.identity
    assert first is not None
    frozen.add(first.pid)
    await eventually(lambda: process.identity not in {None, first})
    assert asked.count(first.pid) >= 2 + 3
    assert process.reason == "did not answer 3 health checks"
    await process.stop()
    await running


async def test_one_silence_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "_HEALTH_INTERVAL_S", 0.02)
    answers: list[Answer] = ["silent", "silent", "good"] * 5
    asked: list[int | None] = []

    async def health(life: Life) -> Answer:
        asked.append(life.pid)
        return answers[len(asked) % len(answers)]

    process = Supervised(spec(tmp_path, SLEEPER, health=health), lambda _: None)
    running = asyncio.create_task(process.run())
    await eventually(lambda: len(asked) > len(answers))
    assert len(set(asked)) == 1
    assert process.restarts == 0
    await process.stop()
    await running


async def test_wrong_settings_end_the_wait_at_once(tmp_path: Path) -> None:
    process = Supervised(
        spec(
            tmp_path, "print('SETTING is wrong'); raise SystemExit(2)", ready=never, wrong_settings_status=2
        ),
        lambda _: None,
    )
    running = asyncio.create_task(process.run())
    async with asyncio.timeout(PATIENCE_S):
        assert not await process.wait_ready(3600)
    assert process.wrong_settings
    assert process.last_log_line() == "SETTING is wrong"
    await process.stop()
    await running


async def never(_: Life) -> bool:
    return False


async def test_a_job_that_succeeds_is_done_and_not_started_again(tmp_path: Path) -> None:
    process = Supervised(spec(tmp_path, "pass", one_shot=True), lambda _: None)
    await asyncio.wait_for(process.run(), PATIENCE_S)
    assert process.state == "done"
    assert process.restarts == 0


async def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', "
        "flush=True)\ntime.sleep(600)"
    )
    process = Supervised(spec(tmp_path, deaf, stop_patience_s=0.3), lambda _: None)
    running = asyncio.create_task(process.run())
    await eventually(lambda: (tmp_path / "tiny.log").exists() and "up" in (tmp_path / "tiny.log").read_text())
    await process.stop()
    await running
    assert process.identity is None


async def test_the_workers_of_a_dead_process_go_with_it(tmp_path: Path) -> None:
    parent = textwrap.dedent(
        """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        time.sleep(600)
        """
    )
    process = Supervised(spec(tmp_path, parent), lambda _: None)
    running = asyncio.create_task(process.run())
    log = tmp_path / "tiny.log"
    await eventually(lambda: log.exists() and log.read_text().strip() != "")
    worker = ProcessIdentity.of(int(log.read_text().split()[0]))
    assert worker is not None
    assert process.identity is not None
    os.kill(process.identity.pid, signal.SIGKILL)
    await eventually(lambda: not worker.alive())
    await process.stop()
    await running


async def test_an_adopted_process_is_watched_replaced_when_it_dies_and_left_alone_at_the_end(
    tmp_path: Path,
) -> None:
    def start_elsewhere() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL, start_new_session=True
        )

    engine = start_elsewhere()
    process = Supervised(spec(tmp_path, SLEEPER), lambda _: None, adopt=ProcessIdentity.of(engine.pid))
    running = asyncio.create_task(process.run())
    assert await process.wait_ready(PATIENCE_S)
    await process.stop()
    await asyncio.sleep(0.3)
    assert engine.poll() is None
    engine.kill()
    engine.wait()
    await asyncio.wait_for(running, PATIENCE_S)


@pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel's death signal is Linux's; elsewhere the next start cleans up"
)
def test_children_die_when_the_supervisor_is_killed_with_minus_nine(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    parent = textwrap.dedent(
        f"""
        import signal, subprocess, time
        from atrium_local.processes import bound_command
        child = subprocess.Popen(bound_command({command!r}, signal.SIGKILL), start_new_session=True)
        print(child.pid, flush=True)
        time.sleep(600)
        """
    )
    log = tmp_path / "parent.log"
    with log.open("wb") as output:
        supervisor = subprocess.Popen([sys.executable, "-c", parent], stdout=output)
    try:
        wait_until(lambda: log.read_text().strip() != "")
        child = ProcessIdentity.of(int(log.read_text()))
        assert child is not None
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_until(lambda: not child.alive())


def test_another_process_with_the_same_id_is_not_taken_for_the_old_one() -> None:
    ours = ProcessIdentity.of(os.getpid())
    assert ours is not None
    assert ours.alive()
    assert not ProcessIdentity(pid=os.getpid(), started="1").alive()


def test_ending_a_process_that_is_gone_is_no_error() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    identity = ProcessIdentity.of(child.pid)
    child.wait()
    if identity is not None:
        end(identity, first=signal.SIGTERM, patience_s=1)


def test_a_port_in_use_names_the_port_its_owner_and_the_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"Port {port} for chat-service is in use: .* CHAT_SERVICE_PORT"):
            check_port("127.0.0.1", port, owner="chat-service", variable="CHAT_SERVICE_PORT")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            '{"level": "INFO", "message": "Finished server process [7]"}',
            "tiny ended, starting it again (log: ",
        ),
        (
            '{"level": "ERROR", "message": "no room left"}',
            "tiny ended, starting it again: no room left (log: ",
        ),
        ("MemoryError: no room", "tiny ended, starting it again: MemoryError: no room (log: "),
    ],
)
def test_an_end_is_told_in_words_and_with_what_explains_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    process = Supervised(spec(tmp_path, SLEEPER), lambda _: None)
    (tmp_path / "tiny.log").write_text(f"something before\n{line}\n")
    process.state, process.restarts = "restarting", 1

    report_change(process)

    assert told in capsys.readouterr().out


def test_why_a_service_did_not_start_is_the_last_line_of_what_went_wrong(tmp_path: Path) -> None:
    """Not the traceback above it, and not uvicorn's word below it that the start failed."""
    traceback = (
        "Traceback (most recent call last):\n  File main.py\nSchemaMismatchError: the code needs 3; run "
        "the migrations\n"
    )
    process = Supervised(spec(tmp_path, SLEEPER), lambda _: None)
    process.spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        {"level": "ERROR", "message": traceback},
        {"level": "ERROR", "message": "Application startup failed. Exiting."},
    )
    process.spec.log_path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert process.last_log_line() == "SchemaMismatchError: the code needs 3; run the migrations"


async def test_a_process_that_was_given_up_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is not gone yet, the next one on the same address would answer in its name."""
    answers: list[Answer] = ["silent", "silent", "silent"]

    async def health(_life: Life) -> Answer:
        return answers.pop(0) if answers else "good"

    kill, loop = Life.kill, asyncio.get_running_loop()
    monkeypatch.setattr(supervised, "_HEALTH_INTERVAL_S", 0.01)
    monkeypatch.setattr(Life, "kill", lambda life: loop.call_later(0.5, kill, life))
    process = Supervised(spec(tmp_path, SLEEPER, health=health), lambda _: None)
    running = asyncio.ensure_future(process.run())
    await eventually(lambda: process.restarts == 1)
    assert process.reason == "did not answer 3 health checks"
    await process.stop()
    await asyncio.wait_for(running, PATIENCE_S)
