"""One run of code as the service sees it: its pipes, its clock, what it takes, and its end."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from agent_service.code.host import Zygote
from agent_service.code.limits import THREADS_MAX, CodeLimits
from agent_service.code.protocol import CONFINED, Job
from agent_service.code.unlinked import held_bytes
from agent_service.code.workfolder import WorkFolder

WATCH_S = 0.05
_PIPE_BYTES = 65_536
_REPORT_BYTES_MAX = 1024 * 1024
_WORD_BYTES_MAX = 64
_LAST_WORDS_S = 5

LimitHit = Literal["timeout", "output", "excess"]


@dataclass(frozen=True, slots=True)
class ExecutionEnding:
    """How a run ended. `limit_hit` says why we ended it, `detail` what there was too much of; `wait_status`
    None: it never ran or was lost.

    `confined`: it said that every restriction was on, through a pipe that is closed before the person's code
    begins.
    """

    stdout: bytes
    stderr: bytes
    report: bytes
    confined: bool
    wait_status: int | None
    limit_hit: LimitHit | None
    detail: str
    duration_ms: int


class _Stream:
    """Reads one pipe to its end as bytes come; `over` is told when they are more than allowed."""

    def __init__(self, descriptor: int, over: Callable[[int], bool]) -> None:
        self.data = bytearray()
        self.ended = asyncio.Event()
        self._descriptor = descriptor
        self._over = over
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self.close()
        elif not self._over(len(chunk)):
            self.data += chunk

    def close(self) -> None:
        if not self.ended.is_set():
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.ended.set()


class Execution:
    """One fork of the zygote. After `start`, await `ended`; `close` whatever happened."""

    def __init__(
        self, zygote: Zygote, run_id: int, *, folder: WorkFolder, limits: CodeLimits, timeout_s: float
    ) -> None:
        self._zygote = zygote
        self._run_id = run_id
        self._folder = folder
        self._limits = limits
        self._timeout_s = timeout_s
        self._limit_hit: LimitHit | None = None
        self._detail = ""
        self._room = limits.output_bytes_max
        self._streams: list[_Stream] = []
        self._end: asyncio.Future[int | None] | None = None
        self._started_at = 0.0

    def start(self, job: Job) -> None:
        """Hand the job to the zygote. Raises: OSError."""
        written: list[int] = [_as_file(job)]
        try:
            for over in (
                self._over_budget,
                self._over_budget,
                _over(_REPORT_BYTES_MAX),
                _over(_WORD_BYTES_MAX),
            ):
                reading, writing = os.pipe2(os.O_CLOEXEC)
                written.append(writing)
                self._streams.append(_Stream(reading, over))
            self._started_at = time.monotonic()
            self._end = self._zygote.run(self._run_id, written)
        finally:
            for descriptor in written:
                os.close(descriptor)

    async def ended(self) -> ExecutionEnding:
        """Watch it to its end. Cancelled: it continues until `close`."""
        if self._end is None:
            raise RuntimeError("start it first")
        while not self._end.done():
            await asyncio.wait({self._end}, timeout=WATCH_S)
            if not self._end.done() and self._limit_hit is None:
                await self._watch()
        duration_ms = round((time.monotonic() - self._started_at) * 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                for stream in self._streams:
                    await stream.ended.wait()
        stdout, stderr, report, word = (bytes(stream.data) for stream in self._streams)
        return ExecutionEnding(
            stdout,
            stderr,
            report,
            word == CONFINED,
            self._end.result(),
            self._limit_hit,
            self._detail,
            duration_ms,
        )

    async def close(self) -> None:
        """End it if it still runs, wait until it is gone, free what it held here."""
        if self._end is not None and not self._end.done():
            self._zygote.kill(self._run_id)
            await asyncio.wait({self._end})
        for stream in self._streams:
            stream.close()

    async def _watch(self) -> None:
        if time.monotonic() - self._started_at > self._timeout_s:
            self._kill("timeout", "")
            return
        excess = await asyncio.to_thread(self._excess)
        if excess is not None:
            self._kill("excess", excess)

    def _excess(self) -> str | None:
        process = self._zygote.process_of(self._run_id)
        if process is not None and _threads(process) > THREADS_MAX:
            return f"more than {THREADS_MAX} threads"
        unlinked_bytes = 0
        if process is not None:
            with contextlib.suppress(OSError):
                unlinked_bytes = held_bytes(process)
        if excess := self._folder.excess(self._limits.disk_bytes_max, unlinked_bytes=unlinked_bytes):
            return excess
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._folder.path).free < self._limits.disk_free_bytes_min:
                return "almost no space is left on this machine"
        return None

    def _over_budget(self, size: int) -> bool:
        """Count output of the run."""
        self._room -= size
        if self._room < 0:
            self._kill("output", "")
        return self._room < 0

    def _kill(self, limit_hit: LimitHit, detail: str) -> None:
        if self._limit_hit is None and self._end is not None and not self._end.done():
            self._limit_hit, self._detail = limit_hit, detail
            self._zygote.kill(self._run_id)


def _over(bytes_max: int) -> Callable[[int], bool]:
    """The report is one line of ours; a flood in its place is read and thrown away."""
    room = bytes_max

    def over(size: int) -> bool:
        nonlocal room
        room -= size
        return room < 0

    return over


def _as_file(job: Job) -> int:
    """An open file in memory that holds the job; a pipe could fill up."""
    descriptor = os.memfd_create("job", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(orjson.dumps(job.to_json()))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _threads(process: int) -> int:
    """How many threads a process has; 0 when it is gone or /proc is closed to us."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("Threads:"):
                return int(line.split()[1])
    return 0
