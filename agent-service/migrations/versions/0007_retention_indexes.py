"""Ended runs by their time, for the purges; built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_run_events_kept", on="run", definition="(ended_at) WHERE events_kept AND ended_at IS NOT NULL"
    )
    create_index_concurrently(
        "ix_run_without_chat", on="run", definition="(ended_at) WHERE NOT of_chat AND ended_at IS NOT NULL"
    )
