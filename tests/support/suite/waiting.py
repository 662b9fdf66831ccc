"""Waiting for something that happens in another process, with a deadline, and figures that hold on a busy
machine too.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T], *, within_s: float, what: str, every_s: float = 0.05) -> T:
    """The first truthy result of `probe`. Raises: AssertionError naming `what` and the last result."""
    deadline = time.monotonic() + within_s
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s} s; last seen {result!r}")
        time.sleep(every_s)


def slowness() -> float:
    """How many times longer than its own work something takes here and now; 1 on a machine that does nothing
    else.
    """
    began = time.monotonic()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "sum(range(5_000_000))"], os.environ)
    _, _, used = os.wait4(pid, 0)
    now = (time.monotonic() - began) / (used.ru_utime + used.ru_stime)
    of_the_last_minute = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(1.0, now, of_the_last_minute)


def is_within(took_s: float, quiet_s: float) -> bool:
    """Whether it took at most `quiet_s`, the figure of a quiet machine, times what this machine needs more
    than that one.
    """
    return took_s <= quiet_s or took_s <= quiet_s * slowness()
