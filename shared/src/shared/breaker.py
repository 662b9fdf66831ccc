"""Stops calling what does not answer: a service, or another part of the installation."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """One for each dependency. Closed until `failures_max` failures in a row; then open until a success: of a
    probe, or of a request, one of which may try every `open_s` seconds.
    """

    def __init__(
        self,
        *,
        failures_max: int,
        open_s: float,
        clock: Callable[[], float] = time.monotonic,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._clock = clock
        self._on_open = on_open
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._failures_max

    def wait_s(self) -> float:
        """0 when a request may go out, else the seconds until one may. Letting one pass while open reserves
        the trial.
        """
        if self._failures < self._failures_max:
            return 0.0
        now = self._clock()
        if now < self._open_until:
            return self._open_until - now
        self._open_until = now + self._open_s
        return 0.0

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        self._failures = 0

    def failed(self) -> None:
        """It could not be reached, hung up without an answer, or gave none in time."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._open_until = self._clock() + self._open_s
            self._on_open()
