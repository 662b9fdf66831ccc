"""What ends by age in the inference-service: settlements that billing refused for good. One that can still be delivered never ends."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import Retention, purge_by_age

from inference_service.settings import InferenceSettings

_REFUSED_SQL = """
WITH gone AS (
    DELETE FROM pending_settlement WHERE request_id IN (
        SELECT request_id FROM pending_settlement WHERE refused IS NOT NULL AND created_at < now() - CAST(:keep AS interval)
        ORDER BY created_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""


def retention(database: Database, settings: InferenceSettings, metrics: Metrics) -> Retention:
    keep = timedelta(days=settings.refused_settlement_keep_days)
    return Retention([purge_by_age(database, "pending_settlement", _REFUSED_SQL, keep=keep)], metrics, schema="inference")
