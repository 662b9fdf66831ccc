"""Turns by when they ended, for their purge; built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index_concurrently(
        "ix_turn_ended", on="turn", definition="(ended_at) WHERE ended_at IS NOT NULL AND NOT journaled"
    )


def downgrade() -> None:
    raise RuntimeError("there is no way back that keeps the chats; restore a backup instead")
