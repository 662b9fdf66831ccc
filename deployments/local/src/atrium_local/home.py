"""The folder of one installation: where what is, which layout it has, and who may run it."""

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import hold_for_readers, holder_of, try_lock, write_atomically

LAYOUT = 1
_BEAT_S = 1.0
_LOCK_TRIES, _LOCK_PAUSE_S = 3, 0.05


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below ATRIUM_HOME."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "data" / "postgres"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What is true only while processes run."""
        return self.root / "run"

    @property
    def env(self) -> Path:
        """Settings of each service, written at each start."""
        return self.root / "env"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def state(self) -> Path:
        return self.run / "state.json"

    @property
    def engines(self) -> Path:
        """The engines that `make deps` left running."""
        return self.run / "engines.json"

    @property
    def model_status(self) -> Path:
        return self.run / "model.json"

    @property
    def lock_path(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def pulse(self) -> Path:
        """A file the supervisor holds a lock on, which names its process, and touches every second, which
        shows that it works.
        """
        return self.run / "supervisor.pulse"

    @property
    def requests(self) -> Path:
        """What commands ask of the running supervisor."""
        return self.run / "requests"

    def prepare(self) -> None:
        """Make the folders.

        Raises: LocalError when the folder was laid out by another version, or the disk is full.
        """
        try:
            for folder in (self.root, self.run, self.logs, self.env, self.database.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._check_layout()
        except OSError as error:
            raise explain_os_error(error, self.root) from error

    def _check_layout(self) -> None:
        marker = self.root / "layout"
        if not marker.exists():
            write_atomically(marker, f"{LAYOUT}\n")
            return
        found = marker.read_text().strip()
        if found != str(LAYOUT):
            raise LocalError(
                f"{self.root} was laid out by another version of Atrium (layout {found}, this one has "
                f"{LAYOUT}):"
                " run that version, or start empty with `make reset`."
            )

    @contextmanager
    def locked(self) -> Generator[None]:
        """Only one supervisor at a time runs on a home.

        Raises: LocalError naming the one that does.
        """
        lock = self._take_lock()
        if lock is None:
            raise LocalError(
                f"Atrium already runs on {self.root} (see `make status`): stop it with `make stop` first."
            )
        with lock, self.pulse.open("a") as pulse:
            hold_for_readers(pulse)
            self.beat()
            yield

    def _take_lock(self) -> IO[str] | None:
        """Tried again in a moment: a command that looks whether we run takes the lock for as long as it
        looks.
        """
        for _ in range(_LOCK_TRIES - 1):
            if (lock := try_lock(self.lock_path)) is not None:
                return lock
            time.sleep(_LOCK_PAUSE_S)
        return try_lock(self.lock_path)

    def beat(self) -> None:
        """The supervisor is alive and not stuck; works on a full disk too."""
        os.utime(self.pulse)

    @contextmanager
    def beating(self) -> Generator[None]:
        """Shows that we work while the block does something long, as a download, beside which no event loop
        runs.
        """
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_S):
                with suppress(OSError):
                    self.beat()

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    def supervisor_pid(self) -> int | None:
        """The process that holds this home, as the kernel knows it; no file can be wrong about it.

        Raises: LocalError when it runs where no signal from here reaches it.
        """
        pid = holder_of(self.pulse) if self.is_locked() else None
        if (
            pid is not None and pid <= 0
        ):  # of another container, or behind a shared file system: to kill(2) these are groups
            raise LocalError(
                f"Atrium runs on {self.root} in another container or on another machine: use the command "
                "there."
            )
        return pid

    def silent_for_s(self) -> float:
        """How long the supervisor has shown no sign of life."""
        try:
            return max(0.0, time.time() - self.pulse.stat().st_mtime)
        except OSError:
            return 0.0

    def is_locked(self) -> bool:
        """Whether a supervisor runs on this home."""
        if not self.run.is_dir():
            return False
        lock = try_lock(self.lock_path)
        if lock is None:
            return True
        lock.close()
        return False
