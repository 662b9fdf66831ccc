"""Runs code for people and agents: who may, whether the sandbox holds, one process a run, and nothing left
behind.
"""

import asyncio
import contextlib
import fcntl
import itertools
import logging
import math
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from shared.access import AccessEnd
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.clock import utc_now
from shared.contracts.agents import CodeRequest, CodeResult
from shared.errors import Forbidden, Unavailable
from shared.jail import privileges

from agent_service.code.admission import Admission
from agent_service.code.execution import Execution
from agent_service.code.host import SandboxUnavailable, Zygote
from agent_service.code.limits import DESCRIPTORS_MAX, FILE_BYTES_MAX, THREADS_MAX, CodeLimits
from agent_service.code.protocol import Job
from agent_service.code.results import as_result, decode_files
from agent_service.code.users import SandboxUsers
from agent_service.code.workfolder import WorkFolder, remove_tree

log = logging.getLogger(__name__)

_BASE_PREFIX = "atrium-code-"
_LOCK = "lock"
_NEW_S = 60
_RETRY_AFTER_S = 60
_UNWATCHED_SHARE = 16

SelfTest = Callable[[], Awaitable[str | None]]


class AccessLost(Forbidden):
    """The person or key may no longer run code, so what ran was ended."""

    def __init__(self, end: AccessEnd) -> None:
        super().__init__(end.detail, code=end.reason.value)


class CodeRunner:
    """One a process: `open` it in the lifespan, `close` it after the drain.

    `self_test` gives the reason why the sandbox does not hold, None when it does; the default asks a process
    that tries to get out.
    """

    def __init__(self, limits: CodeLimits, *, tasks: TaskTracker, self_test: SelfTest | None = None) -> None:
        self._limits = limits
        self._tasks = tasks
        self._self_test = self_test or self._try_to_get_out
        self._admission = Admission(
            slots=limits.concurrency,
            waiting_max=limits.waiting_max,
            waiting_per_user_max=limits.waiting_per_user_max,
            wait_max_s=limits.wait_max_s,
        )
        self._users: SandboxUsers | None = None
        if sys.platform == "linux" and os.geteuid() == 0 and limits.uid_first is not None:
            self._users = SandboxUsers(limits.uid_first, limits.concurrency)
        self._uid_first = None if self._users is None else self._users.uids[0]
        # Whether we may look at what a run holds open; as root without this capability its files are small
        # instead.
        self._watched = self._uid_first is None or privileges.has_capability(privileges.CAP_SYS_PTRACE)
        self._base: Path | None = None
        self._lock: int | None = None
        self._verdict: asyncio.Task[str | None] | None = None
        self._judged_at = 0.0
        self._starting: asyncio.Task[Zygote | SandboxUnavailable] | None = None
        self._zygote: Zygote | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._warming: asyncio.TimerHandle | None = None
        self._run_ids = itertools.count(1)
        self._runs: set[_Run] = set()

    def open(self) -> None:
        """Begin the self-test in the background, and have the warm process soon where it is to stay."""
        self._verdict = self._tasks.spawn(self._judge(), "sandbox self-test")
        if self._limits.keep_warm:
            # Not at once: the start of everything else comes first.
            self._warming = asyncio.get_running_loop().call_later(self._limits.warm_after_s, self.prepare)

    async def close(self) -> None:
        """End everything that runs and delete the folders."""
        self._cancel_idle()
        if self._warming is not None:
            self._warming.cancel()
        for task in (self._verdict, self._starting):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        await self._stop_zygote()
        await self._remove_base()
        if self._users is not None:
            self._users.close()

    async def unavailable_reason(self) -> str | None:
        """Why no code can run here, None when it can. Waits for the self-test."""
        if not self._limits.enabled:
            return "running code is switched off; CODE_ENABLED=true switches it on"
        if sys.platform != "linux":
            return "code runs on Linux only: its sandbox is made of Landlock and seccomp"
        verdict = self._verdict
        if verdict is None or self._is_stale(verdict):
            verdict = self._verdict = self._tasks.spawn(self._judge(), "sandbox self-test")
        return await asyncio.shield(verdict)

    def _is_stale(self, verdict: "asyncio.Task[str | None]") -> bool:
        """A no is asked again after a while: the machine may have been short of something."""
        if not verdict.done():
            return False
        if verdict.cancelled() or verdict.exception() is not None:
            return True
        return verdict.result() is not None and time.monotonic() - self._judged_at > _RETRY_AFTER_S

    def prepare(self) -> None:
        """Have a warm process soon: call when a run is likely. Costs nothing when there is one."""
        self._tasks.spawn(self._warm_up(), "sandbox warm-up")

    async def execute(self, principal: Principal, request: CodeRequest) -> CodeResult:
        """Run it to its end. When the caller is cancelled, the run is killed.

        Raises: AccessLost, Forbidden, Invalid, PayloadTooLarge, TooManyRequests, Unavailable.
        """
        principal.require(Permission.CODE_EXECUTE)
        user_id = principal.actor_id
        files = await asyncio.to_thread(decode_files, request.files)
        if (reason := await self.unavailable_reason()) is not None:
            raise _unavailable(reason)
        run = _Run(principal)
        self._runs.add(run)
        try:
            async with run.scope:
                return await self._admitted(run, request, files, user_id)
        except TimeoutError:
            if run.ended_by is None:
                raise
            raise AccessLost(run.ended_by) from None
        finally:
            self._runs.discard(run)

    async def end_access(self, end: AccessEnd) -> None:
        """End what waits and runs for somebody who may no longer run code."""
        for run in list(self._runs):
            if end.covers(run.principal, Permission.CODE_EXECUTE):
                run.end_for(end)

    async def _admitted(
        self, run: "_Run", request: CodeRequest, files: list[tuple[str, bytes]], user_id: UUID
    ) -> CodeResult:
        slot = await self._admission.enter(user_id)
        try:
            self._cancel_idle()
            return await self._execute(run, request, files, slot)
        except SandboxUnavailable as error:
            log.warning("sandbox failed", extra={"reason": str(error)})
            raise _unavailable(str(error)) from None
        except OSError as error:
            log.exception("a run of code could not be set up")
            await self._forget_base()
            raise _unavailable("the work folder of the sandbox cannot be used; try again") from error
        finally:
            # A task of its own: a caller that is cancelled cannot wait for the end of its process.
            self._tasks.spawn(self._retire(run, slot, user_id), "retire a run of code")

    async def _execute(
        self, run: "_Run", request: CodeRequest, files: list[tuple[str, bytes]], slot: int
    ) -> CodeResult:
        zygote = await self._warm_zygote()
        uid = None if self._users is None else self._users.uids[slot]
        folder = run.folder = WorkFolder(self._open_base(), secrets.token_hex(8), uid=uid)
        await asyncio.to_thread(folder.place, files)
        timeout_s = request.timeout_s or self._limits.timeout_s
        execution = run.execution = Execution(
            zygote, next(self._run_ids), folder=folder, limits=self._limits, timeout_s=timeout_s
        )
        execution.start(self._job(request.code, folder, uid=uid, timeout_s=timeout_s))
        ending = await execution.ended()
        collected = await asyncio.to_thread(folder.collect)
        return await asyncio.to_thread(as_result, ending, collected, self._limits, timeout_s=timeout_s)

    def _job(self, code: str, folder: WorkFolder, *, uid: int | None, timeout_s: float) -> Job:
        return Job(
            code=code,
            work=str(folder.path),
            uid=uid,
            memory_bytes=self._limits.memory_bytes_max,
            cpu_s=math.ceil(timeout_s) + 1,
            file_bytes=FILE_BYTES_MAX if self._watched else self._limits.disk_bytes_max // _UNWATCHED_SHARE,
            descriptors=DESCRIPTORS_MAX,
            threads=None if uid is None else THREADS_MAX,
        )

    async def _retire(self, run: "_Run", slot: int, user_id: UUID) -> None:
        """Kill and clean up; only then is the place free."""
        try:
            if run.execution is not None:
                await run.execution.close()
            if run.folder is not None:
                await asyncio.to_thread(run.folder.remove)
        finally:
            self._admission.leave(slot, user_id)
            if self._admission.running == 0:
                self._await_idle()

    async def _judge(self) -> str | None:
        if not self._limits.enabled or sys.platform != "linux":
            return None  # unavailable_reason says it
        reason = await self._self_test()
        self._judged_at = time.monotonic()
        if reason is None:
            log.info("code sandbox holds")
        else:
            log.warning("code cannot run here", extra={"reason": reason})
        return reason

    async def _try_to_get_out(self) -> str | None:
        try:
            zygote = await self._start_zygote(libraries=False)
        except SandboxUnavailable as error:
            return str(error)
        await zygote.close()
        return None

    async def _warm_up(self) -> None:
        with contextlib.suppress(SandboxUnavailable):
            if await self.unavailable_reason() is None:
                await self._warm_zygote()
                if self._admission.running == 0:
                    self._await_idle()

    async def _warm_zygote(self) -> Zygote:
        """The zygote with the libraries, started on first use. Raises: SandboxUnavailable."""
        if self._zygote is not None and self._zygote.alive:
            return self._zygote
        if self._starting is None or self._starting.done():
            self._starting = self._tasks.spawn(self._replace_zygote(), "sandbox start")
        started = await asyncio.shield(self._starting)
        if isinstance(started, SandboxUnavailable):
            raise started
        return started

    async def _replace_zygote(self) -> Zygote | SandboxUnavailable:
        """A refusal as a value: several callers may wait for it, and it is no failure of the task."""
        await self._stop_zygote()
        try:
            self._zygote = await self._start_zygote(libraries=self._limits.libraries)
        except SandboxUnavailable as error:
            return error
        return self._zygote

    async def _start_zygote(self, *, libraries: bool) -> Zygote:
        base = self._open_base()
        cache = self._limits.cache_dir
        try:
            await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
            own_tree = self._limits.own_tree
            return await Zygote.start(
                base=base, cache=cache, uid_first=self._uid_first, libraries=libraries, own_tree=own_tree
            )
        except OSError as error:
            raise SandboxUnavailable(f"the sandbox could not be started: {error.strerror}") from error

    async def _stop_zygote(self) -> None:
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            await zygote.close()

    def _await_idle(self) -> None:
        self._cancel_idle()
        if self._limits.keep_warm:
            return
        self._idle = asyncio.get_running_loop().call_later(
            self._limits.idle_s, lambda: self._tasks.spawn(self._stop_when_idle(), "stop the idle sandbox")
        )

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _stop_when_idle(self) -> None:
        if self._admission.running == 0:
            await self._stop_zygote()

    async def _forget_base(self) -> None:
        """Something took our folder away, or the disk is full: the next run begins with a new one, and a new
        zygote that sees it.
        """
        await self._stop_zygote()
        await self._remove_base()

    async def _remove_base(self) -> None:
        base, lock, self._base, self._lock = self._base, self._lock, None, None
        if base is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(remove_tree, base)
        if lock is not None:
            os.close(lock)

    def _open_base(self) -> Path:
        """The folder of all work folders: runs can pass through it and see nothing in it."""
        if self._base is None:
            self._base, self._lock = _make_base(self._uid_first)
        return self._base


class _Run:
    """Whose a run is, and what it holds by now. `ended_by`: its person may no longer run code."""

    __slots__ = ("ended_by", "execution", "folder", "principal", "scope")

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.execution: Execution | None = None
        self.folder: WorkFolder | None = None
        self.ended_by: AccessEnd | None = None
        self.scope = asyncio.timeout(None)

    def end_for(self, end: AccessEnd) -> None:
        """End it at its next await; the process is killed by who retires the run."""
        if self.ended_by is None:
            self.ended_by = end
            self.scope.reschedule(asyncio.get_running_loop().time())


def _make_base(uid_first: int | None) -> tuple[Path, int]:
    _remove_leftovers()
    base = Path(tempfile.mkdtemp(prefix=_BASE_PREFIX))
    base.chmod(0o711)
    lock = os.open(base / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (base / "root").mkdir()
    probe = base / "probe"
    probe.mkdir(mode=0o700)
    if uid_first is not None:
        os.chown(probe, uid_first, uid_first)
    canary = base / "canary"
    canary.write_text("nobody in the sandbox reads this")
    canary.chmod(0o666)
    return base, lock


def _remove_leftovers() -> None:
    """Folders of a process that was killed: nobody holds their lock. One that was just made may not be locked
    yet.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_BASE_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or utc_now().timestamp() - status.st_mtime < _NEW_S:
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(folder)
            finally:
                os.close(lock)


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(reason, code="code_unavailable", retry_after_s=_RETRY_AFTER_S)
