"""What ends by age in the chat-service. Chats and messages stay until a person deletes them."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import (
    Retention,
    old_rows_sql,
    purge_by_age,
    purge_erasures,
    purge_idempotency_keys,
    purge_outbox,
)

from chat_service.settings import ChatSettings

# What a turn wrote is in its message; its journal ended before, and its cost is known or given up.
_TURNS_SQL = old_rows_sql("turn", key="id", column="ended_at", where="NOT journaled AND NOT cost_pending")


def retention(database: Database, settings: ChatSettings, metrics: Metrics) -> Retention:
    purges = (
        purge_by_age(database, "turn", _TURNS_SQL, keep=timedelta(days=settings.turn_keep_days)),
        purge_outbox(database, keep=timedelta(days=settings.outbox_keep_days)),
        purge_idempotency_keys(database),
        purge_erasures(database),
    )
    return Retention(purges, metrics, schema="chat")
