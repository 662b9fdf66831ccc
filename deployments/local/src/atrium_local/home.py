"""The folder of one installation: where what is, which layout it has, and who may run it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import try_lock, write_atomically

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
        with lock:
            yield

    def is_locked(self) -> bool:
        """Whether a supervisor runs on this home."""
        if not self.run.is_dir():
            return False
        lock = try_lock(self.lock_path)
        if lock is None:
            return True
        lock.close()
        return False
