"""Alembic's entry: the schema of the agent-service, and the tables of its workflow engine."""

from shared.durable import migrate
from shared.migrations import owner_url, run

run("agent")
migrate(owner_url(), schema="agent_dbos", application_role="agent_app")
