"""What a confined process tries once before any code of a person runs: everything here must fail, or pass, as
it says.
"""

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def failures(canary: Path, *, writes: bool = True) -> list[str]:
    """What does not hold; empty when the jail is sound.

    Args:
        canary: a file outside that everybody may read.
        writes: the process has a work folder, and is in it.
    """
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
        _WRITES if writes else _WRITES_NOT,
        ("the standard library cannot be read", lambda: _fails(lambda: Path(os.__file__).read_bytes())),
        ("threads cannot be started", lambda: _fails(_start_thread)),
        ("programs can be started", _executes),
    ]
    return [name for name, is_broken in checks if is_broken()]


def _make_probe() -> None:
    Path("probe.txt").write_bytes(b"x")


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


_WRITES: tuple[str, Callable[[], bool]] = ("the work folder cannot be used", lambda: _fails(_make_probe))
_WRITES_NOT: tuple[str, Callable[[], bool]] = (
    "files can be made where it stands",
    lambda: not _fails(_make_probe),
)


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
