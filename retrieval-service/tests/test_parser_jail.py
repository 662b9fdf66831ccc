"""The process that reads what strangers wrote is shut in: nothing of the home, no process, no network, and no
reading without it.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from retrieval_service.parsing import errors, jail_check, process
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.jail_check import JailCheck
from shared.jail import landlock

pytestmark = pytest.mark.asyncio(loop_scope="module")

no_landlock = pytest.mark.skipif(
    sys.platform != "linux" or landlock.abi() < 1, reason="this kernel has no Landlock"
)

# The reader of plain text as a document that took it over would have it: the whole worker is the real one.
HOSTILE = """
import json, os, socket, subprocess
from retrieval_service.parsing import worker
from retrieval_service.parsing.adapters import plain
from retrieval_service.parsing.blocks import Block

def attempt(work):
    try:
        return repr(work())[:40]
    except BaseException as error:
        return type(error).__name__

def connect():
    socket.create_connection(("127.0.0.1", {port}), 2)

def read(source):
    yield Block(json.dumps({{
        "document": attempt(lambda: source.path.read_bytes()),
        "secrets": attempt(lambda: open({secrets!r}).read()),
        "passwd": attempt(lambda: open("/etc/passwd").read()),
        "environment": attempt(lambda: open("/proc/self/environ").read()),
        "parent": attempt(lambda: open(f"/proc/{{os.getppid()}}/environ").read()),
        "list": attempt(lambda: os.listdir({home!r})),
        "write": attempt(lambda: open({home!r} + "/made", "w")),
        "fork": attempt(os.fork),
        "exec": attempt(lambda: os.execv("/bin/true", ["true"])),
        "spawn": attempt(lambda: subprocess.run(["/bin/true"])),
        "connect": attempt(connect),
        "unix": attempt(lambda: socket.socket(socket.AF_UNIX)),
        "signal": attempt(lambda: os.kill(os.getppid(), 0)),
    }}))

plain.read = read
worker.main()
"""


@no_landlock
async def test_a_reader_that_was_taken_over_reaches_nothing(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text("top-secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = HOSTILE.format(secrets=str(secrets), home=str(tmp_path), port=server.getsockname()[1])
        monkeypatch.setattr(process, "command", lambda _module: [sys.executable, "-I", "-c", code])
        found = await read(b"the document", "text/plain")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    tried = json.loads("".join(found.texts))
    assert tried.pop("document") == "b'the document'"
    assert set(tried.values()) <= {"PermissionError", "FileNotFoundError"}, tried
    assert not (tmp_path / "made").exists()


@no_landlock
async def test_the_self_test_of_the_installation_holds(tmp_path: Path) -> None:
    check = JailCheck(folder=tmp_path, confined=True)
    await check.look()
    assert check.reason is None
    assert not await asyncio.to_thread(os.listdir, tmp_path)


async def test_without_landlock_no_file_is_read_and_readiness_says_why(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = "from shared.jail import landlock; landlock.abi = lambda: 0;"
    monkeypatch.setattr(
        process,
        "command",
        lambda module: [
            sys.executable,
            "-I",
            "-c",
            f"{without} import runpy; runpy.run_module({module!r}, run_name='__main__')",
        ],
    )
    with pytest.raises(DocumentRefused) as refused:
        await read(b"never read", "text/plain")
    assert (refused.value.code, refused.value.detail) == ("reader_not_confined", errors.not_confined().detail)
    monkeypatch.setattr(jail_check, "command", process.command)
    check = JailCheck(folder=tmp_path, confined=True)
    await check.look()
    assert check.reason is not None
    assert "no Landlock" in check.reason


async def test_a_thread_that_a_library_started_stops_the_reading(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landlock and seccomp bind the thread that asks for them, not those beside it."""
    threaded = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start();"
    monkeypatch.setattr(
        process,
        "command",
        lambda module: [
            sys.executable,
            "-I",
            "-c",
            f"{threaded} import runpy; runpy.run_module({module!r}, run_name='__main__')",
        ],
    )
    with pytest.raises(DocumentRefused) as refused:
        await read(b"never read", "text/plain")
    assert refused.value.code == "reader_not_confined"


async def test_limits_alone_are_the_operator_s_choice_and_readiness_says_so(tmp_path: Path) -> None:
    check = JailCheck(folder=tmp_path, confined=False)
    await check.look()
    assert check.reason is not None
    assert "PARSER_CONFINEMENT=limits" in check.reason
