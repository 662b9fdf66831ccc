"""Writing files that other processes read, and holding locks that end with the process."""

import fcntl
import os
import shutil
import struct
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_FULL_BYTES = 1_000_000  # less than this is nothing to start a service with


def is_disk_full(folder: Path) -> bool:
    """Whether the disk that holds `folder` has next to nothing left; False when nobody can tell."""
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False


def write_atomically(path: Path, text: str, *, mode: int = 0o644, lasting: bool = False) -> None:
    """Readers see the old text or the new one, never a part. `lasting`: also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if lasting:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was renamed in the folder survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str, *, lasting: bool = False) -> None:
    """A secret: only this user may read it, from its first byte on. `lasting`: as in `write_atomically`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, text, mode=0o600, lasting=lasting)


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Wait for the lock and hold it for the block; the kernel frees it when the process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(path: Path) -> IO[str] | None:
    """The held lock, or None when another process holds it. Closing the file frees it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


# struct flock of fcntl(2): type, whence, start, length and process; macOS has them in another order.
_LINUX = sys.platform == "linux"
_FLOCK = "hhqqi0q" if _LINUX else "qqihh"


def hold_for_readers(file: IO[str]) -> None:
    """Take the POSIX lock of an open file until it is closed, so that `holder_of` names this process."""
    fcntl.lockf(file, fcntl.LOCK_EX)


def holder_of(path: Path) -> int | None:
    """The process that holds the POSIX lock of the file, None when none does; 0 or less: none that this
    process could signal.

    Never ask inside the process that holds it: closing the file here would free its lock.
    """
    wanted = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if _LINUX else (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    try:
        with path.open("a") as file:
            answer = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(_FLOCK, *wanted)))
    except OSError:
        return None
    kind, pid = (answer[0], answer[4]) if _LINUX else (answer[3], answer[2])
    return None if kind == fcntl.F_UNLCK else int(pid)
