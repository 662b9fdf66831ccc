"""Refused settlements by age, for their purge; built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_pending_settlement_refused",
        on="pending_settlement",
        definition="(created_at) WHERE refused IS NOT NULL",
    )


def downgrade() -> None:
    """Raises: RuntimeError always; undelivered settlements are money."""
    raise RuntimeError("undelivered settlements would be lost; restore a backup instead")
