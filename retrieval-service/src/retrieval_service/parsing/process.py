"""Runs one parsing process for one document and believes nothing it says beyond its bounds."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress

from retrieval_service.parsing import frames
from retrieval_service.parsing.errors import DocumentRefused, not_confined, too_much_text
from retrieval_service.parsing.frames import BadFrameError, Chunks, Done, Frame, Progress, Refused
from retrieval_service.parsing.job import ParseJob

log = logging.getLogger(__name__)

_STDERR_BYTES_MAX = 2_000
_ENDING_S = 10
_REASON_CHARS_MAX = 200
# Progress is per page; every other frame carries chunks, which are counted themselves.
_SPARE_FRAMES = 16
# Nothing of the service's own environment: that holds its keys and addresses.
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "TOKENIZERS_PARALLELISM": "false",
    "RAYON_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


async def parse(job: ParseJob, *, fd: int, wall_s_max: float) -> AsyncGenerator[Progress | Chunks | Done]:
    """The frames of the document as they come; `Done` is the last. Close the generator to end the process
    early.

    The process inherits `fd`, which `job.path` names as /dev/fd/<fd>; nothing else of the service's is open
    in it.

    Raises:
        DocumentRefused: the document cannot be read, or not within its limits.
    """
    async with _running(job, fd) as process, aclosing(_frames(process, job)) as answers:
        deadline = asyncio.get_running_loop().time() + wall_s_max
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    frame = await anext(answers)
            except TimeoutError:
                raise _too_slow() from None
            except (StopAsyncIteration, BadFrameError, asyncio.IncompleteReadError) as error:
                raise await _died(process, error) from None
            if isinstance(frame, Refused):
                level = logging.ERROR if frame.code == not_confined().code else logging.INFO
                log.log(
                    level,
                    "document refused",
                    extra={"code": frame.code, "reason": frame.reason[:_REASON_CHARS_MAX]},
                )
                raise DocumentRefused(frame.code, frame.detail)
            yield frame
            if isinstance(frame, Done):
                return


@asynccontextmanager
async def _running(job: ParseJob, fd: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command("retrieval_service.parsing.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
        pass_fds=(fd,),
        cwd="/",
    )
    try:
        if process.stdin is not None:
            payload = job.encode()
            with suppress(ConnectionError):
                process.stdin.write(frames.LENGTH.pack(len(payload)) + payload)
                await process.stdin.drain()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        # Reading what is left: a process whose pipe is full has not ended for asyncio until somebody does.
        await asyncio.shield(process.communicate())


def command(module: str) -> list[str]:
    """Runs `module` isolated from the environment and the working folder; compiled modules go where the
    service keeps its own.
    """
    options = ["-I"]
    if sys.pycache_prefix is not None:
        options += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    return [sys.executable, *options, "-m", module]


async def _frames(process: asyncio.subprocess.Process, job: ParseJob) -> AsyncGenerator[Frame]:
    """Decoded frames, within what `job` allows. Raises: BadFrameError, IncompleteReadError,
    DocumentRefused.
    """
    stdout = process.stdout
    if stdout is None:
        return
    chunks = others = chars = 0
    while True:
        (size_bytes,) = frames.LENGTH.unpack(await stdout.readexactly(frames.LENGTH.size))
        if size_bytes > frames.FRAME_BYTES_MAX:
            raise BadFrameError("a frame out of bounds")
        frame = frames.decode(await stdout.readexactly(size_bytes))
        if isinstance(frame, Chunks):
            chunks += len(frame.chunks)
            chars += sum(len(chunk.text) for chunk in frame.chunks)
            if chunks > job.limits.chunks_max or not 0 < len(frame.chunks) <= frames.CHUNKS_PER_FRAME_MAX:
                raise BadFrameError("too many chunks")
            if chars > 2 * job.limits.text_chars_max:  # overlaps are half of it at most
                raise too_much_text(job.limits.text_chars_max)
        else:
            others += 1
            if others > job.limits.pages_max + _SPARE_FRAMES:
                raise BadFrameError("too many frames")
        yield frame


async def _died(process: asyncio.subprocess.Process, error: Exception) -> DocumentRefused:
    """What the end of the process means for its document."""
    status, words = await _last_words(process)
    log.warning(
        "parsing process died", extra={"status": status, "error": type(error).__name__, "stderr": words}
    )
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return _too_slow()
    return DocumentRefused(
        "unreadable",
        "reading this file took more memory than one file may use, or broke the reader; save it again or "
        "split it",
    )


async def _last_words(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    if process.stderr is None:
        return process.returncode, ""
    try:
        async with asyncio.timeout(_ENDING_S):
            raw = await process.stderr.read(_STDERR_BYTES_MAX)
            return await process.wait(), raw.decode("utf-8", errors="replace")[-_REASON_CHARS_MAX:]
    except TimeoutError:
        return process.returncode, ""


def _too_slow() -> DocumentRefused:
    return DocumentRefused(
        "too_slow",
        "reading this file took longer than one file may take; save it again or split it into several files",
    )
