"""What ends by age in billing. The ledger, its usage and its dedupe keys never do: docs/retention.md says
why.
"""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import Retention, old_rows_sql, purge_by_age, purge_idempotency_keys, purge_outbox

from billing_service.settings import SCHEMA, BillingSettings

_HOLDS_SQL = old_rows_sql("hold", key="request_id", column="ended_at", where="state <> 'held'")
# A window without end is never past; one that still holds money is not over.
_WINDOWS_SQL = old_rows_sql(
    "budget_window",
    key="id",
    column="window_start",
    where=(
        'held_nano = 0 AND NOT EXISTS (SELECT FROM budget b WHERE b.id = budget_id AND b."window" = '
        "'total')"
    ),
)
_PROVIDER_CALLS_SQL = old_rows_sql("provider_call", key="provider_request_id", column="occurred_at")
# The service's role may not delete from the trail; the function may, and only what is old.
_AUDIT_SQL = "SELECT purge_audit(CAST(:keep AS interval), :rows_max)"


def retention(database: Database, settings: BillingSettings, metrics: Metrics) -> Retention:
    purges = (
        purge_by_age(database, "hold", _HOLDS_SQL, keep=timedelta(days=settings.hold_keep_days)),
        purge_by_age(
            database, "budget_window", _WINDOWS_SQL, keep=timedelta(days=settings.budget_window_keep_days)
        ),
        purge_by_age(
            database,
            "provider_call",
            _PROVIDER_CALLS_SQL,
            keep=timedelta(days=settings.provider_call_keep_days),
        ),
        purge_by_age(database, "audit", _AUDIT_SQL, keep=timedelta(days=settings.audit_keep_days)),
        purge_outbox(database, keep=timedelta(days=settings.outbox_keep_days)),
        purge_idempotency_keys(database),
    )
    return Retention(purges, metrics, schema=SCHEMA)
