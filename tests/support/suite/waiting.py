"""Waiting for what happens in another process, with a deadline; figures that hold on a busy machine too."""

import asyncio
import inspect
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T], *, within_s: float, what: str, every_s: float = 0.05) -> T:
    """The first truthy result of `probe`; a slow machine has as many times `within_s` as it is slower.

    Raises: AssertionError naming `what` and the last result.
    """
    began, patience_s, slow = time.monotonic(), within_s, False
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > began + patience_s:
            if slow:
                raise AssertionError(f"{what}: not within {patience_s:.0f} s; last seen {result!r}")
            patience_s, slow = within_s * slowness(), True
        time.sleep(every_s)


async def eventually(check: Callable[[], Any], within_s: float = 30, *, every_s: float = 0.03) -> None:
    """As `until`, in an event loop: `check` gives something truthy, or a coroutine of it.

    Raises: AssertionError when it does not in time.
    """
    began, patience_s, slow = time.monotonic(), within_s, False
    while True:
        found = check()
        if await found if inspect.isawaitable(found) else found:
            return
        if time.monotonic() > began + patience_s:
            if slow:
                raise AssertionError(f"{check.__qualname__}: not within {patience_s:.0f} s")
            patience_s, slow = within_s * await asyncio.to_thread(slowness), True
        await asyncio.sleep(every_s)


QUIET_S = 0.16
"""How long the work below takes on the machine that the figures are from, when it does nothing else."""


def slowness() -> float:
    """How many times longer something takes here and now than on that machine; at least 1."""
    began = time.monotonic()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "sum(range(5_000_000))"], os.environ)
    _, _, used = os.wait4(pid, 0)
    took_s, own_s = time.monotonic() - began, used.ru_utime + used.ru_stime
    load = os.getloadavg()[0] / (os.cpu_count() or 1)  # of the last minute
    return max(1.0, took_s / QUIET_S, own_s / QUIET_S * load)


def is_within(took_s: float, quiet_s: float) -> bool:
    """Whether it took at most `quiet_s`, the figure of a quiet machine, times how much slower it is here."""
    return took_s <= quiet_s or took_s <= quiet_s * slowness()
