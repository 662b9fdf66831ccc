"""Token buckets of one process. The gateway's quotas use them, and each service's limit on calls that did not
pass the gateway.
"""

import math
import time
from collections.abc import Callable

from shared.auth.principal import Principal
from shared.errors import TooManyRequests

MINUTE_S = 60.0
_PRINCIPALS_MAX = 50_000


class Bucket:
    """Tokens left, and when that was true."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class TokenBuckets:
    """Buckets that hold `per_minute` tokens and refill in one minute. After a minute unused a bucket is full
    and can be forgotten.
    """

    def __init__(self, *, entries_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries_max = entries_max
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def level(self, key: str, per_minute: int, now: float | None = None) -> Bucket:
        """The bucket as of now, a value of the clock for who has just read it."""
        if now is None:
            now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._entries_max:
                self._forget(now)
            bucket = self._buckets[key] = Bucket(float(per_minute), now)
            return bucket
        tokens = bucket.tokens + (now - bucket.at) * per_minute / MINUTE_S
        bucket.tokens = tokens if tokens < per_minute else float(per_minute)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Drops the full buckets, and a tenth of the rest when all are in use: those lose what they had
        spent.
        """
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < MINUTE_S}
        if len(self._buckets) >= self._entries_max:
            oldest = sorted(self._buckets, key=lambda key: self._buckets[key].at)
            for key in oldest[: max(1, self._entries_max // 10)]:
                del self._buckets[key]


class DirectLimits:
    """The limit of a principal on calls that come straight to a service; the gateway has limited the others
    already.
    """

    def __init__(self, *, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._buckets = TokenBuckets(entries_max=_PRINCIPALS_MAX, clock=clock)

    def check(self, principal: Principal) -> None:
        """Take one call. Raises: TooManyRequests; a refused call costs nothing."""
        if principal.via_gateway or principal.user_id is None:
            return
        per_minute = principal.rpm or self._per_minute
        bucket = self._buckets.level(f"{principal.key_id or principal.user_id}", per_minute)
        if bucket.tokens < 1.0:
            wait_s = math.ceil((1.0 - bucket.tokens) * MINUTE_S / per_minute)
            raise TooManyRequests(
                f"more than {per_minute} calls a minute; wait {wait_s} s", retry_after_s=wait_s
            )
        bucket.tokens -= 1.0
