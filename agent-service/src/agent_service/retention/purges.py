"""What ends by age in the agent-service. Agents, and runs that wrote replies of a chat, stay until a person
deletes them.
"""

from datetime import timedelta

from shared.db import Database
from shared.durable import DurableEngine
from shared.metrics import Metrics
from shared.retention import (
    Purge,
    Retention,
    old_rows_sql,
    purge_by_age,
    purge_erasures,
    purge_idempotency_keys,
    purge_workflows,
)

from agent_service.settings import AgentSettings

_RUNS_AT_ONCE = 20
"""A run can have thousands of events, and takes with it what is left of them, its steps and files."""

# What the events told is in the run and its steps. The last one stays, so that a reader still learns how the
# run ended.
_EVENTS_SQL = """
WITH old AS (
    SELECT id FROM run WHERE events_kept AND ended_at < now() - CAST(:keep AS interval)
    ORDER BY ended_at LIMIT :rows_max FOR UPDATE SKIP LOCKED
), told AS (
    SELECT old.id, (SELECT max(e.id) FROM run_event e WHERE e.run_id = old.id) AS last_id FROM old
), gone AS (
    DELETE FROM run_event e USING told WHERE e.run_id = told.id AND e.id < told.last_id
), done AS (
    UPDATE run SET events_kept = false WHERE id IN (SELECT id FROM old) RETURNING 1
)
SELECT count(*) FROM done
"""
_RUNS_SQL = old_rows_sql("run", key="id", column="ended_at", where="NOT of_chat")
# What was found of a server that nobody has asked about for long: it is gone, or its file is.
_CHECKS_SQL = old_rows_sql("mcp_check", key="server_id", column="claimed_at")
_CHECKS_KEPT = timedelta(days=30)


def retention(
    database: Database, engine: DurableEngine, settings: AgentSettings, metrics: Metrics
) -> Retention:
    purges = (
        purge_by_age(
            database,
            "run_event",
            _EVENTS_SQL,
            keep=timedelta(days=settings.run_event_keep_days),
            rows_max=_RUNS_AT_ONCE,
        ),
        *_runs(database, settings),
        purge_by_age(database, "mcp_check", _CHECKS_SQL, keep=_CHECKS_KEPT),
        purge_workflows(engine, keep=timedelta(days=settings.workflow_keep_days)),
        purge_idempotency_keys(database),
        purge_erasures(database),
    )
    return Retention(purges, metrics, schema="agent")


def _runs(database: Database, settings: AgentSettings) -> tuple[Purge, ...]:
    if not settings.run_keep_days:
        return ()
    return (
        purge_by_age(
            database, "run", _RUNS_SQL, keep=timedelta(days=settings.run_keep_days), rows_max=_RUNS_AT_ONCE
        ),
    )
