"""What ends by age in the gateway."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import (
    ROWS_MAX,
    Purge,
    Retention,
    old_rows_sql,
    purge_by_age,
    purge_idempotency_keys,
    purge_outbox,
)

from gateway_service.settings import GatewaySettings

_TOKENS_PER_SESSION = 50
"""A session takes its tokens with it, so a batch of sessions is smaller."""

# Links of a chain that were replaced: showing one is refused whether it is known or not.
_REPLACED_TOKENS_SQL = old_rows_sql("refresh_token", key="token_sha256", column="replaced_at")
_EXPIRED_SESSIONS_SQL = old_rows_sql("session", key="id", column="expires_at")
_REVOKED_SESSIONS_SQL = old_rows_sql("session", key="id", column="revoked_at")
_REVOKED_KEYS_SQL = old_rows_sql("api_key", key="id", column="revoked_at")
_EXPIRED_KEYS_SQL = old_rows_sql("api_key", key="id", column="expires_at")
# The service's role may not delete from the record of acts; the function may, and only what is old.
_AUDIT_SQL = "SELECT purge_audit_log(CAST(:keep AS interval), :rows_max)"


def retention(database: Database, settings: GatewaySettings, metrics: Metrics) -> Retention:
    keys = timedelta(days=settings.api_key_keep_days)
    purges = (
        *_sessions(database, keep=timedelta(days=settings.session_keep_days)),
        purge_by_age(database, "api_key", _REVOKED_KEYS_SQL, keep=keys),
        purge_by_age(database, "api_key", _EXPIRED_KEYS_SQL, keep=keys),
        purge_by_age(database, "audit_log", _AUDIT_SQL, keep=timedelta(days=settings.audit_keep_days)),
        purge_outbox(database, keep=timedelta(days=settings.outbox_keep_days)),
        purge_idempotency_keys(database),
    )
    return Retention(purges, metrics, schema="gateway")


def _sessions(database: Database, *, keep: timedelta) -> tuple[Purge, ...]:
    rows_max = ROWS_MAX // _TOKENS_PER_SESSION
    return (
        purge_by_age(database, "refresh_token", _REPLACED_TOKENS_SQL, keep=keep),
        purge_by_age(database, "session", _EXPIRED_SESSIONS_SQL, keep=keep, rows_max=rows_max),
        purge_by_age(database, "session", _REVOKED_SESSIONS_SQL, keep=keep, rows_max=rows_max),
    )
