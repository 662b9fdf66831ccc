"""The queue of settlements that billing could not take yet."""

from shared.migrations import execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE schema_info (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    min_code int NOT NULL
);
INSERT INTO schema_info (min_code) VALUES (1);

CREATE TABLE pending_settlement (
    request_id uuid PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('settle', 'release')),
    body text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    refused text,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN pending_settlement.refused IS
    'why billing will never take it; such a row is kept for an operator and not tried again';
CREATE INDEX ix_pending_settlement_next_attempt_at ON pending_settlement (next_attempt_at) WHERE refused IS NULL;
"""


def upgrade() -> None:
    execute_script(SQL)


def downgrade() -> None:
    """Raises: RuntimeError always; undelivered settlements are money."""
    raise RuntimeError("undelivered settlements would be lost; restore a backup instead")
