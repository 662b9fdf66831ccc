"""The ledger, its holds and windows, prices with effective dates, usage."""

from pathlib import Path

from alembic import op
from shared.idempotency import IDEMPOTENCY_SQL
from shared.migrations import execute_script
from shared.outbox import OUTBOX_SQL
from sqlalchemy import text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Raises: RuntimeError when the database was not provisioned."""
    if (
        op.get_bind().execute(text("SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'")).scalar()
        is None
    ):
        raise RuntimeError(
            "the extension btree_gist is missing: the provisioner creates it (`make deps`), "
            "or run `CREATE EXTENSION btree_gist SCHEMA public` as a superuser"
        )
    execute_script(OUTBOX_SQL)
    execute_script(IDEMPOTENCY_SQL)
    for name in ("0001_tables.sql", "0001_rights.sql", "0001_seeds.sql"):
        execute_script((SQL / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
