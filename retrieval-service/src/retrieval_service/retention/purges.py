"""What ends by age in the retrieval-service. Files stay until a person deletes them; what those leave behind
has jobs of its own.
"""

from datetime import timedelta

from shared.db import Database
from shared.durable import DurableEngine
from shared.metrics import Metrics
from shared.retention import Retention, purge_erasures, purge_idempotency_keys, purge_workflows

from retrieval_service.settings import RetrievalSettings


def retention(
    database: Database, engine: DurableEngine, settings: RetrievalSettings, metrics: Metrics
) -> Retention:
    purges = (
        purge_idempotency_keys(database),
        purge_erasures(database),
        purge_workflows(engine, keep=timedelta(days=settings.workflow_keep_days)),
    )
    return Retention(purges, metrics, schema="retrieval")
