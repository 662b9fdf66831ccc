"""Which job runs how often."""

from shared.background import Periodic

from billing_service.jobs.invariants import check_in_turn
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import JobRepository
from billing_service.jobs.sweeper import Sweeper
from billing_service.settings import BillingSettings

_RELAY_INTERVAL_S = 1.0
_PARTITIONS_INTERVAL_S = 3600.0
_CHECK_LOOKS = 10
"""Looks an interval at whether a check is due: the process that checked last may be gone."""


def build_jobs(
    repository: JobRepository, *, settings: BillingSettings, metrics: JobMetrics
) -> list[Periodic]:
    """The jobs of one process, not started. Several processes may run them: each piece of work locks its own
    rows.
    """
    sweeper = Sweeper(
        repository, ttl_s=settings.hold_ttl_s, renewed_ttl_s=settings.renewed_ttl_s, metrics=metrics
    )

    async def check() -> None:
        await check_in_turn(repository, metrics, interval_s=settings.invariants_interval_s)

    async def ensure_partitions() -> None:
        await repository.ensure_partitions(settings.partitions_ahead)

    return [
        Periodic("sweeper", sweeper.interval_s, sweeper.run),
        Periodic("outbox relay", _RELAY_INTERVAL_S, repository.publish_outbox),
        Periodic("invariants", settings.invariants_interval_s / _CHECK_LOOKS, check),
        Periodic("partitions", _PARTITIONS_INTERVAL_S, ensure_partitions),
    ]
