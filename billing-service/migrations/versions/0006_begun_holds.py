"""A hold that was begun expires soon after its last checkpoint."""

from pathlib import Path

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql" / "0006_begun_holds.sql"


def upgrade() -> None:
    execute_script(SQL.read_text(encoding="utf-8"))


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
