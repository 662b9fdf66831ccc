"""What ends by age in the gateway."""

from datetime import timedelta

from shared.db import Database
from shared.metrics import Metrics
from shared.retention import ROWS_MAX, Purge, Retention, purge_by_age, purge_idempotency_keys, purge_outbox

from gateway_service.settings import GatewaySettings

_TOKENS_PER_SESSION = 50
"""A session takes its tokens with it, so a batch of sessions is smaller."""

# Links of a chain that were replaced: showing one is refused whether it is known or not.
_REPLACED_TOKENS_SQL = """
WITH gone AS (
    DELETE FROM refresh_token WHERE token_sha256 IN (
        SELECT token_sha256 FROM refresh_token WHERE replaced_at < now() - CAST(:keep AS interval)
        ORDER BY replaced_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
_EXPIRED_SESSIONS_SQL = """
WITH gone AS (
    DELETE FROM session WHERE id IN (
        SELECT id FROM session WHERE expires_at < now() - CAST(:keep AS interval)
        ORDER BY expires_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
_REVOKED_SESSIONS_SQL = """
WITH gone AS (
    DELETE FROM session WHERE id IN (
        SELECT id FROM session WHERE revoked_at < now() - CAST(:keep AS interval)
        ORDER BY revoked_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
_REVOKED_KEYS_SQL = """
WITH gone AS (
    DELETE FROM api_key WHERE id IN (
        SELECT id FROM api_key WHERE revoked_at < now() - CAST(:keep AS interval)
        ORDER BY revoked_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
_EXPIRED_KEYS_SQL = """
WITH gone AS (
    DELETE FROM api_key WHERE id IN (
        SELECT id FROM api_key WHERE expires_at < now() - CAST(:keep AS interval)
        ORDER BY expires_at LIMIT :rows_max FOR UPDATE SKIP LOCKED) RETURNING 1)
SELECT count(*) FROM gone
"""
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
