"""Waiting for something that happens in another process, with a deadline."""

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
