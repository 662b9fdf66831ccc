"""Ends holds nobody renewed, so that a crash never keeps money held."""

import logging
from collections.abc import Callable

from shared.clock import monotonic_s

from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import JobRepository

_BATCH_MAX = 200
# A busy machine delays a run by a second or two; taking that for a stall would put the sweep off for ever
# with a short TTL.
_STALL_MIN_S = 5.0

log = logging.getLogger(__name__)


class Sweeper:
    """Expires overdue holds: never begun ones after `ttl_s`, begun ones `renewed_ttl_s` after their last
    checkpoint. After a start, a
    lost database or a stall of this process it first lets one full TTL pass: while billing was away nobody
    could renew, and a live stream must not be charged as dead.
    """

    def __init__(
        self,
        repository: JobRepository,
        *,
        ttl_s: float,
        renewed_ttl_s: float,
        metrics: JobMetrics,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._repository = repository
        self._ttl_s = ttl_s
        self._renewed_ttl_s = min(renewed_ttl_s, ttl_s)
        self._metrics = metrics
        self._clock = clock
        self._not_before_s = clock() + ttl_s
        self._last_run_s = clock()

    @property
    def interval_s(self) -> float:
        """How often to run: a hold outlives its TTL by this much at most."""
        return min(5.0, max(0.2, self._renewed_ttl_s / 6))

    async def run(self) -> int:
        """Expire what is overdue. Returns how many holds ended. Raises whatever the database raises, and then
        waits a TTL.
        """
        now_s = self._clock()
        if now_s - self._last_run_s > max(self._renewed_ttl_s / 2, _STALL_MIN_S):
            self._not_before_s = now_s + self._ttl_s
        self._last_run_s = now_s
        try:
            overdue = await self._repository.overdue_holds(ttl_s=self._ttl_s, rows_max=_BATCH_MAX)
            if now_s < self._not_before_s:
                return 0
            ended = sum([await self._repository.expire_hold(dispatch_id) for dispatch_id in overdue])
        except BaseException:
            self._not_before_s = self._clock() + self._ttl_s
            raise
        if ended:
            self._metrics.expired.inc(ended)
            log.warning(
                "%d holds expired without a settlement; they were charged what had been checkpointed", ended
            )
        return ended
