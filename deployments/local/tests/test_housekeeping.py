"""Logs, the state file, progress and the question whether the web client must be built."""

import errno
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from atrium_local import logfiles
from atrium_local.processes import ProcessIdentity
from atrium_local.progress import ModelStatus, ProgressLine
from atrium_local.state import ProcessState, SuiteState, read_engines, read_state, write_engines
from atrium_local.webclient import WebClient


def process_state(identity: ProcessIdentity, name: str = "postgres") -> ProcessState:
    return ProcessState(
        name=name,
        state="ready",
        pid=identity.pid,
        started=identity.started,
        port=1,
        restarts=0,
        adopted=False,
        log="postgres.log",
    )


def test_a_log_that_grew_is_emptied_and_kept_beside(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(logfiles, "_SIZE_MAX_BYTES", 10)
    log = tmp_path / "chat-service.log"
    with log.open("ab") as writer:
        writer.write(b"first lines\n")
        writer.flush()
        logfiles.rotate_all(tmp_path)
        writer.write(b"after\n")
        writer.flush()
        assert log.read_bytes() == b"after\n"
        assert (tmp_path / "chat-service.log.1").read_bytes() == b"first lines\n"


def test_at_most_three_old_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    for number in range(6):
        log.write_text(f"{number}")
        logfiles.rotate(log)
    assert sorted(path.name for path in tmp_path.glob("gateway.log.*")) == [
        "gateway.log.1",
        "gateway.log.2",
        "gateway.log.3",
    ]
    assert (tmp_path / "gateway.log.1").read_text() == "5"


def test_a_full_disk_leaves_no_half_copy_and_the_other_logs_are_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfiles, "_SIZE_MAX_BYTES", 10)
    logs = [tmp_path / name for name in ("a.log", "b.log", "c.log")]
    for log in logs:
        log.write_text("more than ten bytes")
    copy = logfiles.shutil.copyfile

    def full_for_b(source: Path, target: Path) -> None:
        copy(source, target)
        if source.name == "b.log":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logfiles.shutil, "copyfile", full_for_b)
    with pytest.raises(OSError, match="No space left"):
        logfiles.rotate_all(tmp_path)
    assert [log.read_text() for log in logs] == ["", "more than ten bytes", ""]
    assert not (tmp_path / "b.log.1").exists()


def test_the_state_file_is_read_back_and_a_broken_one_is_nothing(tmp_path: Path) -> None:
    ours = ProcessIdentity.of(os.getpid())
    assert ours is not None
    state = SuiteState(
        supervisor_pid=1, phase="up", address="http://127.0.0.1:8000", processes=(process_state(ours),)
    )
    path = tmp_path / "state.json"
    state.write(path)
    assert read_state(path) == state
    path.write_text("{")
    assert read_state(path) is None


def test_engines_that_are_gone_are_not_adopted(tmp_path: Path) -> None:
    ours = ProcessIdentity.of(os.getpid())
    assert ours is not None
    path = tmp_path / "engines.json"
    write_engines(
        path,
        [process_state(ours), process_state(ProcessIdentity(pid=ours.pid, started="1"), name="model-server")],
    )
    assert [engine.name for engine in read_engines(path)] == ["postgres"]


def test_progress_outside_a_terminal_is_a_few_lines() -> None:
    stream = io.StringIO()
    line = ProgressLine("model", stream)
    for done in range(0, 1001):
        line.show(done, 1000)
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 8
    assert lines[-1].startswith("model: 100%")


def test_the_model_status_file_has_the_agreed_fields(tmp_path: Path) -> None:
    path = tmp_path / "run" / "model.json"
    ModelStatus(state="downloading", model="m", downloaded_bytes=5, total_bytes=10, eta_s=3).write(path)
    assert json.loads(path.read_text()) == {
        "state": "downloading",
        "model": "m",
        "downloaded_bytes": 5,
        "total_bytes": 10,
        "eta_s": 3,
        "detail": None,
    }


def test_the_web_client_is_built_when_missing_or_older_than_a_source(tmp_path: Path) -> None:
    web = WebClient(tmp_path, tmp_path / "build.log")
    assert not web.exists()
    source = tmp_path / "src" / "app.html"
    source.parent.mkdir()
    source.write_text("a")
    (tmp_path / "package.json").write_text("{}")
    assert web.exists()
    assert web.is_stale()
    page = tmp_path / "build" / "index.html"
    page.parent.mkdir()
    page.write_text("built")
    os.utime(source, (1, 1))
    os.utime(tmp_path / "package.json", (1, 1))
    assert not web.is_stale()
    future = page.stat().st_mtime + 5
    os.utime(source, (future, future))
    assert web.is_stale()


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here")
async def test_building_the_web_client_leaves_its_lock_as_it_is_committed(tmp_path: Path) -> None:
    build = "node -e \"fs.mkdirSync('build');fs.writeFileSync('build/index.html','built')\""
    (tmp_path / "package.json").write_text(
        json.dumps({"name": "page", "version": "1.0.0", "scripts": {"build": build}})
    )
    lock = tmp_path / "package-lock.json"
    # Any npm would write it otherwise.
    committed = '{"name":"page","version":"0.9.0","lockfileVersion":3,"requires":true,"packages":{}}'
    lock.write_text(committed)
    await WebClient(tmp_path, tmp_path / "build.log").build_if_stale(lambda: None)
    assert (tmp_path / "build" / "index.html").read_text() == "built"
    assert lock.read_text() == committed
