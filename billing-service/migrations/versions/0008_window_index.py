"""Budget windows by their start, for the purge of those long past; built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently("budget_window_by_start", on="budget_window", definition="(window_start)")


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
