"""Deleted accounts whose files and knowledge bases are to go."""

from shared.erasure import ERASURE_SQL
from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(ERASURE_SQL)


def downgrade() -> None:
    execute_script("DROP TABLE erasure;")
