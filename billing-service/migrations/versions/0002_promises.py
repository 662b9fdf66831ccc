"""Holds that were never begun cost nothing, a ceiling for default budgets, and checks that remember how far they came."""

from pathlib import Path

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql" / "0002_checks.sql"


def upgrade() -> None:
    execute_script(SQL.read_text(encoding="utf-8"))


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
