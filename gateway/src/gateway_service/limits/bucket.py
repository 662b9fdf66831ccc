"""Token buckets of one process: the quota of each user, key and organisation, and of failed credentials per
address.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from shared.limits import MINUTE_S, Bucket, TokenBuckets

from gateway_service.connections.limits import site_of
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits.ports import Decision, RouteClass, share

FORGIVEN_PER_MINUTE = 10
_NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()


class BucketLimiter:
    """The Limiter of a gateway that runs as one process, and of each of several while Redis is away."""

    def __init__(
        self,
        *,
        failures_per_minute: int = 30,
        entries_max: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.failures = Quota(key="", per_minute=failures_per_minute)
        self._by_class = {each: TokenBuckets(entries_max=entries_max, clock=clock) for each in RouteClass}
        self._forgiven = TokenBuckets(entries_max=entries_max, clock=clock)
        self._addresses = TokenBuckets(entries_max=entries_max, clock=clock)

    def check(self, identity: Identity, route_class: RouteClass) -> Decision:
        """Takes one request from each quota of the identity, or from none of them."""
        buckets = self._by_class[route_class]
        now = self._clock()
        tightest: Quota | None = None
        least = math.inf
        taken: list[Bucket] = []
        for quota in identity.quotas:
            bucket = buckets.level(quota.key, quota.per_minute, now)
            taken.append(bucket)
            if bucket.tokens < least:
                tightest, least = quota, bucket.tokens
        if tightest is None:
            return Decision(True, _NO_HEADERS, 0)
        if least < 1.0:
            return decision_of(tightest, least, allowed=False)
        for bucket in taken:
            bucket.tokens -= 1.0
        return decision_of(tightest, least - 1.0, allowed=True)

    def refund(self, identity: Identity, route_class: RouteClass) -> None:
        """Gives back what check() took."""
        buckets = self._by_class[route_class]
        for quota in identity.quotas:
            bucket = buckets.level(quota.key, quota.per_minute)
            bucket.tokens = min(bucket.tokens + 1.0, float(quota.per_minute))

    def forgive(self, identity: Identity, route_class: RouteClass) -> None:
        """As refund(), at most FORGIVEN_PER_MINUTE times for one user or key."""
        if not identity.quotas:
            return
        bucket = self._forgiven.level(identity.quotas[0].key, FORGIVEN_PER_MINUTE)
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            self.refund(identity, route_class)

    def count_failure(self, address: str, *, processes: int = 1) -> Decision:
        """Records a credential that was refused, and whether its address may be told so once more.
        `processes` that each count for themselves divide the quota.
        """
        quota = replace(self.failures, per_minute=share(self.failures.per_minute, processes))
        bucket = self._addresses.level(site_of(address), quota.per_minute)
        allowed = bucket.tokens >= 1.0
        bucket.tokens = max(0.0, bucket.tokens - 1.0)
        return decision_of(quota, bucket.tokens, allowed=allowed)


def decision_of(quota: Quota, tokens: float, *, allowed: bool) -> Decision:
    """X-RateLimit-Reset is the number of seconds until the whole quota is there again."""
    per_second = quota.per_minute / MINUTE_S
    headers = (
        (b"x-ratelimit-limit", b"%d" % quota.per_minute),
        (b"x-ratelimit-remaining", b"%d" % tokens),
        (
            b"x-ratelimit-reset",
            b"%d" % (math.ceil((quota.per_minute - tokens) / per_second) if per_second else 60),
        ),
    )
    wait_s = 0 if allowed else math.ceil((1.0 - tokens) / per_second) if per_second else 60
    return Decision(allowed, headers, wait_s)
