"""Stops calling a service that does not answer, and lets one request try whether it is back."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """One per upstream. Closed until `failures_max` failures in a row; then open for `open_s`; then one trial at a time."""

    def __init__(self, *, failures_max: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def wait_s(self) -> float:
        """0 when a request may go out, else the seconds until one may. Letting one pass while open reserves the trial."""
        if self._failures < self._failures_max:
            return 0.0
        now = self._clock()
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + self._open_s
        return 0.0

    def succeeded(self) -> None:
        """The service answered, whatever the status."""
        self._failures = 0

    def failed(self) -> None:
        """The service could not be reached or hung up without an answer."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._open_until = self._clock() + self._open_s
