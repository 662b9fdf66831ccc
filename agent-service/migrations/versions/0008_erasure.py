"""Deleted accounts whose agents and runs are to go."""

from shared.erasure import ERASURE_SQL
from shared.migrations import execute_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script(ERASURE_SQL)
