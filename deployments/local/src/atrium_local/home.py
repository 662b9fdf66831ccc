"""The folder of one installation: where what is, which layout it has, and who may run it."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import hold_for_readers, holder_of, try_lock, write_atomically

LAYOUT = 1


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
        """A file the supervisor holds a lock on, which names its process, and touches every second, which shows that it works."""
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
                f"{self.root} was laid out by another version of Atrium (layout {found}, this one has {LAYOUT}):"
                " run that version, or start empty with `make reset`."
            )

    @contextmanager
    def locked(self) -> Generator[None]:
        """Only one supervisor at a time runs on a home.

        Raises: LocalError naming the one that does.
        """
        lock = try_lock(self.lock_path)
        if lock is None:
            raise LocalError(f"Atrium already runs on {self.root} (see `make status`): stop it with `make stop` first.")
        with lock, self.pulse.open("a") as pulse:
            hold_for_readers(pulse)
            yield

    def beat(self) -> None:
        """The supervisor is alive and not stuck; works on a full disk too."""
        os.utime(self.pulse)

    def supervisor_pid(self) -> int | None:
        """The process that holds this home, as the kernel knows it; no file can be wrong about it."""
        return holder_of(self.pulse) if self.is_locked() else None

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
