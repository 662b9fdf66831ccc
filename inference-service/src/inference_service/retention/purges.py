"""What ends by age in the inference-service: settlements that billing refused for good. One that can still be
delivered never ends.
"""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import Retention, old_rows_sql, purge_by_age

from inference_service.settings import InferenceSettings

_REFUSED_SQL = old_rows_sql(
    "pending_settlement", key="request_id", column="created_at", where="refused IS NOT NULL"
)


def retention(database: Database, settings: InferenceSettings, metrics: Metrics) -> Retention:
    keep = timedelta(days=settings.refused_settlement_keep_days)
    return Retention(
        [purge_by_age(database, "pending_settlement", _REFUSED_SQL, keep=keep)], metrics, schema="inference"
    )
