"""Which job runs how often."""

from shared.background import Periodic
from shared.db import Database
from shared.outbox import Relay

from billing_service.jobs.invariants import check_in_turn
from billing_service.jobs.repository import JobRepository
from billing_service.jobs.sweeper import Sweeper
from billing_service.metrics import BillingMetrics
from billing_service.settings import BillingSettings
from shared import idempotency

_RELAY_INTERVAL_S = 1.0
_HOUSEKEEPING_INTERVAL_S = 3600.0
_FORGET_BATCH = 1000
_PROVIDER_CALLS_KEEP_DAYS = 62
"""Two billing months, twice what OpenRouter's activity reaches back."""
_CHECK_LOOKS = 10
"""Looks an interval at whether a check is due: the process that checked last may be gone."""


class Housekeeping:
    """Partitions ahead of time and rows past their retention."""

    def __init__(self, repository: JobRepository, database: Database, relay: Relay, settings: BillingSettings) -> None:
        self._repository = repository
        self._database = database
        self._relay = relay
        self._settings = settings

    async def run(self) -> None:
        await self._repository.ensure_partitions(self._settings.partitions_ahead)
        while await self._repository.forget_ended_holds(keep_days=self._settings.hold_keep_days, rows_max=_FORGET_BATCH) == _FORGET_BATCH:
            pass
        while await self._repository.forget_provider_calls(keep_days=_PROVIDER_CALLS_KEEP_DAYS, rows_max=_FORGET_BATCH) == _FORGET_BATCH:
            pass
        await self._relay.forget_old()
        async with self._database.transaction() as session:
            await idempotency.forget_old(session)


def build_jobs(repository: JobRepository, database: Database, *, settings: BillingSettings, metrics: BillingMetrics) -> list[Periodic]:
    """The jobs of one process, not started. Several processes may run them: each piece of work locks its own rows."""
    sweeper = Sweeper(repository, ttl_s=settings.hold_ttl_s, renewed_ttl_s=settings.renewed_ttl_s, metrics=metrics)
    relay = Relay(database)

    async def check() -> None:
        await check_in_turn(repository, metrics, interval_s=settings.invariants_interval_s)

    return [
        Periodic("sweeper", sweeper.interval_s, sweeper.run),
        Periodic("outbox relay", _RELAY_INTERVAL_S, relay.drain),
        Periodic("invariants", settings.invariants_interval_s / _CHECK_LOOKS, check),
        Periodic("housekeeping", _HOUSEKEEPING_INTERVAL_S, Housekeeping(repository, database, relay, settings).run),
    ]
