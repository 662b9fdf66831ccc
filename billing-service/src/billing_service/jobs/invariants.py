"""Checks the ledger's invariants against live data and alarms, also when one could not be checked."""

import logging

from shared.outages import is_outage

from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import INVARIANTS, JobRepository

log = logging.getLogger(__name__)


async def check_invariants(repository: JobRepository, metrics: JobMetrics) -> dict[str, list[str]]:
    """The broken invariants with some ids each; empty when all is well. Sets the gauges and logs what is
    broken or was not checked.
    """
    broken: dict[str, list[str]] = {}
    for invariant in INVARIANTS:
        rows = await _violations(repository, metrics, invariant)
        if rows:
            broken[invariant] = rows
            log.error("invariant broken: %s; see %s", invariant, ", ".join(rows))
    return broken


async def _violations(repository: JobRepository, metrics: JobMetrics, invariant: str) -> list[str]:
    try:
        rows = await repository.violations(invariant)
    except Exception as error:
        if not is_outage(error):
            raise
        # Not knowing is no all-clear: the gauge of violations says so, and the next invariant is checked all
        # the same.
        metrics.unchecked.labels(invariant).set(1)
        metrics.violations.labels(invariant).set(float("nan"))
        log.error("invariant not checked: %s", invariant, extra={"reason": type(error).__name__})
        return []
    metrics.unchecked.labels(invariant).set(0)
    metrics.violations.labels(invariant).set(len(rows))
    return rows


async def check_in_turn(repository: JobRepository, metrics: JobMetrics, *, interval_s: float) -> None:
    """As check_invariants, once for all processes in each interval."""
    if await repository.begin_checks(interval_s=interval_s):
        await check_invariants(repository, metrics)
