"""An end for the audit trail, which the service itself cannot change."""

from pathlib import Path

from shared.migrations import execute_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql" / "0007_retention.sql"


def upgrade() -> None:
    execute_script(SQL.read_text(encoding="utf-8"))


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
