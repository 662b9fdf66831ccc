"""The folder a run works in, seen from outside: files in and out, how much is in it, and its end.

What is in it was made by code nobody trusts: names are used relative to open folders, links are never
followed, and nothing is read before the run is dead.
"""

import contextlib
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_service.code.limits import DEPTH_MAX, ENTRIES_MAX, OUTPUT_FILES_BYTES_MAX, OUTPUT_FILES_MAX

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK_BYTES = 512
NAME_BYTES_MAX = 255
_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,199}")
_UNSEEN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters that turn the direction of writing, so that `txt.exe` reads `exe.txt`, and those that cannot be
# seen. Joiners of scripts and emoji stay.
_TURNING = frozenset(
    "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One regular file of a run."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run left. `left_out` says in words what is missing."""

    files: tuple[FoundFile, ...]
    left_out: str | None


@dataclass(frozen=True, slots=True)
class _State:
    inode: int
    size: int
    changed_ns: int


class WorkFolder:
    """One empty folder under `base`, gone after `remove`."""

    def __init__(self, base: Path, name: str, *, uid: int | None) -> None:
        self.path = base / name
        self.path.mkdir(mode=0o700)
        self._uid = uid
        self._given: dict[str, _State] = {}
        if uid is not None:
            os.chown(self.path, uid, uid)

    def place(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write the files a run starts with. Before it starts."""
        folder = os.open(self.path, _FOLDER)
        try:
            for name, content in files:
                with os.fdopen(os.open(name, _CREATE, 0o600, dir_fd=folder), "wb") as file:
                    file.write(content)
                    file.flush()
                    if self._uid is not None:
                        os.fchown(file.fileno(), self._uid, self._uid)
                    self._given[name] = _state(os.fstat(file.fileno()))
        finally:
            os.close(folder)

    def excess(self, bytes_max: int, *, unlinked_bytes: int = 0) -> str | None:
        """What there is too much of at the moment, in words; None when all is well. Walks ENTRIES_MAX entries
        at most.

        `unlinked_bytes`: of files that are deleted and still held.
        """
        seen = _Seen()
        seen.size_bytes = unlinked_bytes
        with contextlib.suppress(OSError):  # it is being changed while we look
            folder = os.open(self.path, _FOLDER)
            try:
                _count(folder, seen, depth=1)
            finally:
                os.close(folder)
        if seen.entries > ENTRIES_MAX:
            return f"more than {ENTRIES_MAX} files"
        if seen.depth > DEPTH_MAX:
            return f"folders more than {DEPTH_MAX} deep"
        return f"more than {bytes_max} bytes of files" if seen.size_bytes > bytes_max else None

    def collect(self) -> Collected:
        """The regular files at the top of the folder that are new or changed, by name, within the limits.
        After the run's end.
        """
        found: list[FoundFile] = []
        left_out: set[str] = set()
        room = OUTPUT_FILES_BYTES_MAX
        folder = os.open(self.path, _FOLDER)
        try:
            for name in _visible(folder):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not is_plain_name(name):
                    left_out.add("files with names that cannot be given back")
                elif not stat.S_ISREG(status.st_mode):
                    left_out.add("folders")
                elif self._given.get(name) == _state(status):
                    continue
                elif len(found) == OUTPUT_FILES_MAX:
                    left_out.add(f"files beyond {OUTPUT_FILES_MAX}")
                elif (content := _read(folder, name, room)) is None:
                    left_out.add(f"files beyond {OUTPUT_FILES_BYTES_MAX} bytes and what cannot be read")
                else:
                    room -= len(content)
                    found.append(FoundFile(name, content))
        finally:
            os.close(folder)
        return Collected(tuple(found), ", ".join(sorted(left_out)) or None)

    def remove(self) -> None:
        """Delete everything. After the run's end. Raises: OSError."""
        remove_tree(self.path)


def remove_tree(path: Path) -> None:
    """Delete a folder of any depth: what lies deeper is moved up first, so neither names nor stacks grow with
    it.
    """
    with contextlib.suppress(FileNotFoundError):
        top = os.open(path, _FOLDER)
        try:
            while folders := _delete_files(top):
                for folder in folders:
                    _lift_content(top, folder)
        finally:
            os.close(top)
        path.rmdir()


def _delete_files(folder: int) -> list[str]:
    """Unlink what is no folder; the names of the folders that remain."""
    folders: list[str] = []
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders


def _lift_content(top: int, folder: str) -> None:
    """Delete the folder `folder` of `top`; folders inside it go to `top` under new names."""
    os.chmod(
        folder, 0o700, dir_fd=top
    )  # it may have been made unreadable; no link, it was looked at after the run
    inner = os.open(folder, _FOLDER, dir_fd=top)
    try:
        for name in _delete_files(inner):
            os.chmod(name, 0o700, dir_fd=inner)
            os.rename(name, f".gone-{secrets.token_hex(16)}", src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(folder, dir_fd=top)


class _Seen:
    __slots__ = ("depth", "entries", "size_bytes")

    def __init__(self) -> None:
        self.entries = self.size_bytes = self.depth = 0


def _count(folder: int, seen: _Seen, *, depth: int) -> None:
    seen.depth = max(seen.depth, depth)
    if depth > DEPTH_MAX:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            seen.entries += 1
            if seen.entries > ENTRIES_MAX:
                return
            with contextlib.suppress(OSError):  # gone since it was listed, or unreadable to us
                status = entry.stat(follow_symlinks=False)
                seen.size_bytes += status.st_blocks * _BLOCK_BYTES
                if stat.S_ISDIR(status.st_mode):
                    inner = os.open(entry.name, _FOLDER, dir_fd=folder)
                    try:
                        _count(inner, seen, depth=depth + 1)
                    finally:
                        os.close(inner)


def is_plain_name(name: str) -> bool:
    """Whether it can stand in an answer and in a folder: no path, no hidden file, nothing but text that reads
    as what it is.
    """
    if any(character in _TURNING or unicodedata.category(character) in _UNSEEN for character in name):
        return False
    try:
        return bool(_NAME.fullmatch(name)) and len(name.encode()) <= NAME_BYTES_MAX
    except UnicodeEncodeError:
        return False


def _visible(folder: int) -> list[str]:
    """Names that are not hidden; home and temporary files of a run are."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def _read(folder: int, name: str, bytes_max: int) -> bytes | None:
    """The file, None when it is larger than `bytes_max` or cannot be opened as a regular file."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > bytes_max:
            return None
        content = file.read(bytes_max + 1)
        return content if len(content) <= bytes_max else None


def _state(status: os.stat_result) -> _State:
    return _State(status.st_ino, status.st_size, status.st_mtime_ns)
