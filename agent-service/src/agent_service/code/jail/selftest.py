"""What a confined process tries once before any code of a person runs: everything here must fail, or pass, as it says."""

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def failures(canary: Path) -> list[str]:
    """What does not hold; empty when the sandbox is sound. `canary` is a file outside that everybody may read."""
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("files outside can be read", lambda: not _fails(canary.read_bytes)),
        ("files outside can be written", lambda: not _fails(lambda: canary.write_bytes(b"x"))),
        ("files can be made outside", lambda: not _fails(lambda: (canary.parent / "made").open("x"))),
        ("/etc/passwd can be read", lambda: not _fails(lambda: Path("/etc/passwd").read_bytes())),
        ("/proc can be read", lambda: not _fails(lambda: Path("/proc/self/environ").read_bytes())),
        ("internet sockets can be opened", lambda: not _fails(lambda: socket.socket(socket.AF_INET))),
        ("unix sockets can be opened", lambda: not _fails(lambda: socket.socket(socket.AF_UNIX))),
        ("the parent can be signalled", lambda: not _fails(lambda: os.kill(os.getppid(), 0))),
        ("processes can be forked", _forks),
        ("the work folder cannot be used", lambda: _fails(lambda: Path("probe.txt").write_bytes(b"x"))),
        ("the standard library cannot be read", lambda: _fails(lambda: Path(os.__file__).read_bytes())),
        ("threads cannot be started", lambda: _fails(_start_thread)),
        ("programs can be started", _executes),
    ]
    return [name for name, is_broken in checks if is_broken()]


def _fails(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, RuntimeError):
        return True
    return False


def _forks() -> bool:
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _start_thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _executes() -> bool:
    """When it does, this process is gone and so is its answer, which counts as a failure too."""
    try:
        os.execv(sys.executable, [sys.executable, "-c", ""])  # noqa: S606 - the attempt is the purpose
    except OSError as error:
        return error.errno != errno.EPERM  # another error: the call itself was let through
