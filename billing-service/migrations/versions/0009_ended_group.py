"""What a group of settlements ended, as one value between the functions that do a group."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# One element a hold in the arrays up to key_ids, and one a budget window in the last three.
TYPE = """
CREATE TYPE ended_group AS (
    organisation_ids uuid[], calls integer[], request_ids uuid[], amounts bigint[], costs bigint[], losses bigint[],
    team_ids uuid[], user_ids uuid[], key_ids uuid[], back_nano bigint, cost_nano bigint, loss_nano bigint,
    window_ids bigint[], window_held bigint[], window_spent bigint[]
)
"""


def upgrade() -> None:
    op.execute(TYPE)


def downgrade() -> None:
    """Raises: RuntimeError always; a ledger is not thrown away by a version switch."""
    raise RuntimeError("the ledger has no way down; restore a backup instead")
