"""An end for the audit trail, which the service itself cannot change: functions changed, which are files today."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: shared.migrations makes the functions."""


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
