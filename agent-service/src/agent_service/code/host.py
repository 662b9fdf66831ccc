"""The service's side of its zygote: start it, hand it runs, hear of their ends."""

import asyncio
import contextlib
import json
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_service.code.protocol import MESSAGE_BYTES_MAX, Start

_START_S = 120
_STOP_S = 5


class SandboxUnavailable(Exception):
    """There is no sandbox to run code in; the message says why, for operators and people alike."""


class Zygote:
    """A running zygote. Every run's future gives the process's wait status, None when it never started or the
    zygote died.
    """

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._ends: dict[int, asyncio.Future[int | None]] = {}
        self._processes: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self.layers: tuple[str, ...] = ()
        self.alive = True
        self._loop.add_reader(control.fileno(), self._hear)

    @classmethod
    async def start(
        cls, *, base: Path, cache: Path, uid_first: int | None, libraries: bool, own_tree: bool
    ) -> "Zygote":
        """A zygote whose self-test passed. Raises: SandboxUnavailable."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        start = Start(theirs.fileno(), str(base), str(cache), uid_first, libraries, own_tree)
        command = [
            sys.executable,
            "-I",
            "-X",
            f"pycache_prefix={cache / 'bytecode'}",
            "-m",
            "agent_service.code.zygote",
        ]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                json.dumps(start.to_json()),
                stdin=DEVNULL,
                stdout=DEVNULL,
                env=_environment(cache),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        zygote = cls(process, ours)
        try:
            await zygote._greeted()
        except BaseException:
            await zygote.close()
            raise
        return zygote

    async def _greeted(self) -> None:
        try:
            async with asyncio.timeout(_START_S):
                hello = await self._hello
        except TimeoutError:
            raise SandboxUnavailable(f"the sandbox did not start within {_START_S} s") from None
        if "ready" not in hello:
            raise SandboxUnavailable(str(hello.get("failed") or "the sandbox could not be started"))
        self.layers = tuple(hello["ready"])

    def run(self, run_id: int, descriptors: Sequence[int]) -> "asyncio.Future[int | None]":
        """Fork a run: `descriptors` are its job, stdout, stderr, report and last word; they stay the caller's
        to close.
        """
        end: asyncio.Future[int | None] = self._loop.create_future()
        if not self.alive:
            end.set_result(None)
            return end
        self._ends[run_id] = end
        try:
            socket.send_fds(
                self._control, [json.dumps({"do": "run", "id": run_id}).encode()], list(descriptors)
            )
        except OSError:
            self._lost()
        return end

    def process_of(self, run_id: int) -> int | None:
        """The process of a run that is under way."""
        return self._processes.get(run_id)

    def kill(self, run_id: int) -> None:
        """End a run at once; its future follows."""
        if self.alive and run_id in self._ends:
            try:
                self._control.send(json.dumps({"do": "kill", "id": run_id}).encode())
            except OSError:
                self._lost()

    async def close(self) -> None:
        """End it and everything it runs."""
        self._lost()
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _hear(self) -> None:
        while self.alive:
            try:
                data = self._control.recv(MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._take(json.loads(data))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            if not self._hello.done():
                self._hello.set_result(message)
        elif "process" in message:
            self._processes[message["id"]] = message["process"]
        else:
            self._processes.pop(message["id"], None)
            end = self._ends.pop(message["id"], None)
            if end is not None and not end.done():
                end.set_result(message["status"])

    def _lost(self) -> None:
        """The socket closed on either side: nothing can run any more."""
        if not self.alive:
            return
        self.alive = False
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        if not self._hello.done():
            self._hello.set_result({})
        for end in self._ends.values():
            if not end.done():
                end.set_result(None)
        self._ends.clear()
        self._processes.clear()


def _environment(cache: Path) -> dict[str, str]:
    """Everything the zygote knows of its surroundings."""
    return {
        "LANG": "C.UTF-8",
        "HOME": str(cache),
        "MPLCONFIGDIR": str(cache),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Each arena reserves 64 MB of the address space that the memory limit counts.
        "MALLOC_ARENA_MAX": "2",
    }
