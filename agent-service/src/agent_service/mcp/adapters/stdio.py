"""MCP over the standard input and output of a program of the operator.

The SDK's own transport hands on the service's environment, reads lines of any length and writes the program's
errors to ours; here the environment is exactly the configured one, a line has a limit, and what the program
complains about is logged in bounds.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from shared.clock import monotonic_s

from agent_service.mcp.port import ServerError, Stdio

_LAUNCHER = Path(__file__).parent.parent / "launch.py"
_END_PATIENCE_S = 1.0
_END_POLL_S = 0.01
_LOG_LINES_MAX = 200
_LOG_LINE_CHARS_MAX = 500
_TAIL_LINES = 3
_READ_BYTES = 4_096

log = logging.getLogger(__name__)

_Incoming = SessionMessage | Exception


class Program:
    """One run of the program. `gone` is set when it ends or breaks the protocol; `why` then says what
    happened.
    """

    def __init__(self, target: Stdio, *, name: str, line_bytes_max: int) -> None:
        self.gone = asyncio.Event()
        self._target = target
        self._name = name
        self._line_bytes_max = line_bytes_max
        self._broken: str | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process: asyncio.subprocess.Process | None = None

    def why(self) -> str:
        """One sentence about the end of the program."""
        if self._broken:
            return self._broken
        status = self._process.returncode if self._process else None
        ended = "the program ended" if status is None else f"the program ended with status {status}"
        return f"{ended}; its last words: {' | '.join(self._tail)}" if self._tail else ended

    def transport(self) -> Transport:
        """Starts the program when entered, ends it with all it started when left."""
        return self._run()

    @asynccontextmanager
    async def _run(
        self,
    ) -> AsyncGenerator[tuple[MemoryObjectReceiveStream[_Incoming], MemoryObjectSendStream[SessionMessage]]]:
        process = self._process = await self._start()
        to_session, incoming = anyio.create_memory_object_stream[_Incoming](0)
        outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as group, incoming, outgoing:
                group.start_soon(self._read, process, to_session)
                group.start_soon(self._write, process, from_session)
                group.start_soon(self._listen_to_errors, process)
                try:
                    yield incoming, outgoing
                finally:
                    with anyio.CancelScope(shield=True):
                        await _end(process)
                    group.cancel_scope.cancel()
        finally:
            self.gone.set()
            _kill_group(process.pid)
            _close_pipes(process)

    async def _start(self) -> asyncio.subprocess.Process:
        command = [
            sys.executable,
            "-I",
            "-S",
            str(_LAUNCHER),
            str(os.getpid()),
            self._target.command,
            *self._target.args,
        ]
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self._target.env),
                cwd=self._target.cwd,
                start_new_session=True,
                limit=self._line_bytes_max,
            )
        except OSError as error:
            raise ServerError(f"the program cannot be started: {error.strerror}") from None

    async def _read(
        self, process: asyncio.subprocess.Process, to_session: MemoryObjectSendStream[_Incoming]
    ) -> None:
        assert process.stdout is not None  # noqa: S101 - started with a pipe
        async with to_session:
            while True:
                try:
                    line = await process.stdout.readline()
                except ValueError:
                    self._broken = f"it sent a message of more than {self._line_bytes_max} bytes"
                    break
                if not line:
                    with anyio.move_on_after(_END_PATIENCE_S):
                        await process.wait()
                    break
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    continue  # programs print banners; what is no message is nobody's answer
                try:
                    await to_session.send(SessionMessage(message))
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return
            self.gone.set()

    async def _write(
        self, process: asyncio.subprocess.Process, from_session: MemoryObjectReceiveStream[SessionMessage]
    ) -> None:
        assert process.stdin is not None  # noqa: S101 - started with a pipe
        with contextlib.suppress(OSError):
            async with from_session:
                async for item in from_session:
                    process.stdin.write(
                        item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                    )
                    await process.stdin.drain()

    async def _listen_to_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - started with a pipe
        written, rest = 0, b""
        while chunk := await process.stderr.read(_READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_READ_BYTES:]
            for line in filter(None, map(_printable, lines)):
                self._tail.append(line[:200])
                written += 1
                if written <= _LOG_LINES_MAX:
                    log.info("MCP server %s: %s", self._name, line)
                if written == _LOG_LINES_MAX:
                    log.info("MCP server %s: further lines are left out", self._name)


def _printable(line: bytes) -> str:
    text = line[:_LOG_LINE_CHARS_MAX].decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable()).strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then ask, then kill: each step gets a moment."""
    if process.stdin is not None:
        process.stdin.close()
    if await _ended(process):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    if await _ended(process):
        return
    _kill_group(process.pid)
    await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> bool:
    # Not process.wait(): that also waits for pipes which a grandchild may hold open.
    deadline_s = monotonic_s() + _END_PATIENCE_S
    while monotonic_s() < deadline_s:
        if process.returncode is not None:
            return True
        await asyncio.sleep(_END_POLL_S)
    return False


def _close_pipes(process: asyncio.subprocess.Process) -> None:
    """Our ends of its pipes, which would stay open as long as a grandchild holds the others. Nothing public
    closes them.
    """
    transport = getattr(process, "_transport", None)
    if isinstance(transport, asyncio.BaseTransport):
        with contextlib.suppress(
            PermissionError
        ):  # it kills the process again, which may have become another user's
            transport.close()


def _kill_group(pid: int) -> None:
    """What is left of the program's process group; the leader's id names it even when the leader is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
