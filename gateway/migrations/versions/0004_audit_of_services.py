"""Which service recorded an act. The version before writes the gateway's own alone, so the default is true of them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE audit_log ADD COLUMN service text NOT NULL DEFAULT 'gateway'")
