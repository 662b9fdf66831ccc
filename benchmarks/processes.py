"""Starts what a benchmark measures and reads its CPU time from /proc."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_us(pid: int) -> float:
    """User and system CPU time a process has used, in microseconds; children are not counted."""
    # schedstat counts nanoseconds where the kernel keeps it; stat counts ticks of 10 ms.
    schedstat = Path(f"/proc/{pid}/schedstat")
    if schedstat.exists():
        return int(schedstat.read_text().split()[0]) / 1000
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S * 1e6


def cpu_tree_us(pid: int) -> float:
    """CPU time of a process, all its threads, its living descendants, and those it has waited for."""
    try:
        own = sum(_thread_cpu_us(task) for task in Path(f"/proc/{pid}/task").iterdir())
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended while we looked: its parent has the figure now
        return 0.0
    ended = (int(fields[13]) + int(fields[14])) / _TICKS_PER_S * 1e6
    return own + ended + sum(cpu_tree_us(child) for child in children(pid))


def _thread_cpu_us(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1000
    except OSError:  # the thread ended while we looked
        return 0.0


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    found: list[int] = []
    with suppress(OSError):  # it ended while we looked
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = 30.0) -> None:
    """Returns when something listens on the port. Raises RuntimeError when the process ended or the time is
    over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"the process ended with {process.returncode} before it listened on port {port}"
            )
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


@contextmanager
def running(
    command: Sequence[str],
    *,
    port: int,
    env: dict[str, str] | None = None,
    log: Path | None = None,
    start_s: float = 30.0,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child process that listens on `port`; ended with the block."""
    output = log.open("wb") if log else subprocess.DEVNULL
    with subprocess.Popen(
        list(command), env={**os.environ, **(env or {})}, stdout=output, stderr=subprocess.STDOUT
    ) as process:
        try:
            wait_for_port(port, process, start_s)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line of a module in this environment."""
    return [sys.executable, "-m", module, *arguments]
