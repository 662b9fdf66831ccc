"""Alembic's entry: the schema of the retrieval-service, and the tables of its workflow engine."""

from shared.durable import migrate
from shared.migrations import owner_url, run

run("retrieval")
migrate(owner_url(), schema="retrieval_dbos", application_role="retrieval_app")
