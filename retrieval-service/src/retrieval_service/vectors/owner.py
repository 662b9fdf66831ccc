"""One owner of a folder: embedded stores are damaged by a second process that merely opens them."""

import asyncio
import fcntl
import time
from pathlib import Path
from typing import IO

from retrieval_service.vectors.errors import VectorStoreTakenError

WAIT_S = 5.0  # a process that is being replaced needs a moment to end
_PAUSE_S = 0.1
_FILE = "owner.lock"


class FolderOwner:
    """Holds the lock of a folder until released; the kernel releases it when the process dies, however it
    dies.
    """

    def __init__(self, folder: Path, *, wait_s: float = WAIT_S) -> None:
        self._folder = folder
        self._wait_s = wait_s
        self._file: IO[bytes] | None = None

    async def acquire(self) -> None:
        """Raises: VectorStoreTakenError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / _FILE).open("ab")
        deadline_s = time.monotonic() + self._wait_s
        while not _locked(file):
            if time.monotonic() > deadline_s:
                file.close()
                raise VectorStoreTakenError(
                    f"another process owns the vector store in {self._folder}: an embedded store serves one "
                    "process."
                    " Stop the other one, or run a Qdrant server and set QDRANT_URL to have several replicas"
                )
            await asyncio.sleep(_PAUSE_S)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
