"""What ends by age in billing. The ledger, its usage and its dedupe keys never do: docs/retention.md says why."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import Retention, purge_by_age, purge_idempotency_keys, purge_outbox

from billing_service.settings import SCHEMA, BillingSettings

_HOLDS_SQL = """
WITH gone AS (
    DELETE FROM hold WHERE request_id IN (
        SELECT request_id FROM hold WHERE state <> 'held' AND ended_at < now() - CAST(:keep AS interval)
        ORDER BY ended_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
# A window without end is never past; one that still holds money is not over.
_WINDOWS_SQL = """
WITH gone AS (
    DELETE FROM budget_window WHERE id IN (
        SELECT w.id FROM budget_window w JOIN budget b ON b.id = w.budget_id
        WHERE w.window_start < now() - CAST(:keep AS interval) AND b."window" <> 'total' AND w.held_nano = 0
        ORDER BY w.window_start LIMIT :rows_max FOR UPDATE OF w SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
_PROVIDER_CALLS_SQL = """
WITH gone AS (
    DELETE FROM provider_call WHERE provider_request_id IN (
        SELECT provider_request_id FROM provider_call WHERE occurred_at < now() - CAST(:keep AS interval)
        ORDER BY occurred_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
# The service's role may not delete from the trail; the function may, and only what is old.
_AUDIT_SQL = "SELECT purge_audit(CAST(:keep AS interval), :rows_max)"


def retention(database: Database, settings: BillingSettings, metrics: Metrics) -> Retention:
    purges = (
        purge_by_age(database, "hold", _HOLDS_SQL, keep=timedelta(days=settings.hold_keep_days)),
        purge_by_age(database, "budget_window", _WINDOWS_SQL, keep=timedelta(days=settings.budget_window_keep_days)),
        purge_by_age(database, "provider_call", _PROVIDER_CALLS_SQL, keep=timedelta(days=settings.provider_call_keep_days)),
        purge_by_age(database, "audit", _AUDIT_SQL, keep=timedelta(days=settings.audit_keep_days)),
        purge_outbox(database, keep=timedelta(days=settings.outbox_keep_days)),
        purge_idempotency_keys(database),
    )
    return Retention(purges, metrics, schema=SCHEMA)
