"""How often a password may be tried, such that nobody can lock anybody else's account.

Wrong passwords are counted by who tries: an address, or a browser on which the person has signed in before.
So a stranger's guesses never keep the owner out: they come from elsewhere, or from a known browser. Guessing
from one place gets slower with each wrong try; guessing from many places costs the guesser as many addresses.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from shared.errors import AppError, TooManyRequests

from gateway_service.connections.limits import site_of
from gateway_service.limits.ports import share

FREE_TRIES = 5
WAIT_MAX_S = 300.0
FORGOTTEN_AFTER_S = 900.0
_ENTRIES_MAX = 50_000
_OURS = 500


@dataclass(frozen=True, slots=True)
class TryWindow:
    """`amount` wrong tries in `seconds`."""

    amount: int
    seconds: float


def site_name(address: str) -> str:
    """Who tries from a browser that nobody knows."""
    return f"site:{site_of(address)}"


def device_name(device: str) -> str:
    """Who tries from a browser on which the person has signed in before."""
    return f"device:{device}"


def is_our_failure(error: Exception) -> bool:
    """Whether it says nothing about the password."""
    return not isinstance(error, AppError) or error.status >= _OURS


def refuse_for(wait_s: float) -> None:
    """Raises: TooManyRequests when there is anything to wait for."""
    if wait_s > 0:
        seconds = math.ceil(wait_s)
        raise TooManyRequests(
            f"too many attempts; try again in {seconds} s", retry_after_s=seconds, code="too_many_attempts"
        )


@dataclass(slots=True)
class _Failures:
    """Wrong tries of one who at one account, or at any; `times` of the last ones, `in_a_row` since the last
    right one.
    """

    times: deque[float] = field(default_factory=deque[float])
    in_a_row: int = 0


class Tries:
    """Of one process. A try counts as wrong from its beginning until it proves right: a thousand at once are
    a thousand.
    """

    def __init__(
        self,
        *,
        per_client: Sequence[TryWindow],
        per_account: Sequence[TryWindow],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_client = tuple(per_client)
        self._per_account = tuple(per_account)
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    @contextmanager
    def one(
        self, address: str, account: str, *, device: str | None = None, processes: int = 1
    ) -> Generator[None]:
        """One try at `account`; leaving the block without an error is the right password, with a failure of
        ours it is no try. `processes` that each count for themselves divide the windows and the
        free tries, and each waits as many times as long.

        Raises: TooManyRequests.
        """
        now = self._clock()
        site = site_name(address)
        own = self._entry(site if device is None else device_name(device), account)
        wait_s = max(_until_free(own, self._per_account, now, processes), _growing_wait(own, now, processes))
        client = None
        if device is None:
            client = self._entry(site, "")
            wait_s = max(wait_s, _until_free(client, self._per_client, now, processes))
        refuse_for(wait_s)
        counted = [entry for entry in (own, client) if entry is not None]
        for entry in counted:
            entry.times.append(now)
        own.in_a_row += 1
        try:
            yield
        except Exception as error:
            if is_our_failure(error):
                _take_back(counted, now)
                own.in_a_row = max(0, own.in_a_row - 1)
            raise
        _take_back(counted, now)
        own.in_a_row = 0

    def _entry(self, who: str, account: str) -> _Failures:
        key = (who, account)
        entry = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        if len(self._failures) > _ENTRIES_MAX:
            self._failures.popitem(last=False)
        return entry


def _take_back(counted: Sequence[_Failures], moment: float) -> None:
    for entry in counted:
        with suppress(ValueError):  # forgotten meanwhile
            entry.times.remove(moment)


def _until_free(entry: _Failures, windows: Sequence[TryWindow], now: float, processes: int) -> float:
    """Seconds until another try fits all windows; forgets what lies before the longest."""
    longest = max(window.seconds for window in windows)
    while entry.times and entry.times[0] <= now - max(longest, FORGOTTEN_AFTER_S * processes):
        entry.times.popleft()
    waits = [0.0]
    for window in windows:
        within = [moment for moment in entry.times if moment > now - window.seconds]
        amount = share(window.amount, processes)
        if len(within) >= amount:
            waits.append(within[-amount] + window.seconds - now)
    return max(waits)


def _growing_wait(entry: _Failures, now: float, processes: int) -> float:
    """Doubles with each wrong try after the first few, up to five minutes."""
    if not entry.times:
        entry.in_a_row = 0
    paid = entry.in_a_row - share(FREE_TRIES, processes)
    if paid < 0:
        return 0.0
    return entry.times[-1] + processes * min(WAIT_MAX_S, 2.0 ** min(paid, 20)) - now
