"""Entries by transaction, and both large tables by time, built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "transfer_by_transaction", on="transfer", definition="(organisation_id, transaction_id)"
    )
    # Rows arrive in the order of their time, so a summary of page ranges finds a day as well as a tree would, at no cost for writes.
    create_index_concurrently("transfer_by_time", on="transfer", definition="USING brin (at)")
    create_index_concurrently("usage_event_by_time", on="usage_event", definition='USING brin ("timestamp")')


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
