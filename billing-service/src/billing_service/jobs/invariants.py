"""Checks the ledger's invariants against live data and alarms."""

import logging

from billing_service.jobs.repository import INVARIANTS, JobRepository
from billing_service.metrics import BillingMetrics

log = logging.getLogger(__name__)


async def check_invariants(repository: JobRepository, metrics: BillingMetrics) -> dict[str, list[str]]:
    """The broken invariants with some ids each; empty when all is well. Sets the gauge and logs each violation."""
    broken: dict[str, list[str]] = {}
    for invariant in INVARIANTS:
        rows = await repository.violations(invariant)
        metrics.violations.labels(invariant).set(len(rows))
        if rows:
            broken[invariant] = rows
            log.error("invariant broken: %s; see %s", invariant, ", ".join(rows))
    return broken
