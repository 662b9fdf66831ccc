"""A hold that was begun expires soon after its last checkpoint: functions changed, which are files today."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: shared.migrations makes the functions."""


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
