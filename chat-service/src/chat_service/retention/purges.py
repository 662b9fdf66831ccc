"""What ends by age in the chat-service. Chats and messages stay until a person deletes them."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import Retention, purge_by_age, purge_erasures, purge_idempotency_keys, purge_outbox

from chat_service.settings import ChatSettings

# What a turn wrote is in its message; its journal ended before, and its cost is known or given up.
_TURNS_SQL = """
WITH gone AS (
    DELETE FROM turn WHERE id IN (
        SELECT id FROM turn WHERE ended_at < now() - CAST(:keep AS interval) AND NOT journaled AND NOT cost_pending
        ORDER BY ended_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""


def retention(database: Database, settings: ChatSettings, metrics: Metrics) -> Retention:
    purges = (
        purge_by_age(database, "turn", _TURNS_SQL, keep=timedelta(days=settings.turn_keep_days)),
        purge_outbox(database, keep=timedelta(days=settings.outbox_keep_days)),
        purge_idempotency_keys(database),
        purge_erasures(database),
    )
    return Retention(purges, metrics, schema="chat")
