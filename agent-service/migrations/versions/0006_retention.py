"""Which runs belong to a chat, and which still have their events: for the purges."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Every column has a default: the code before this one writes rows without them. Nobody knows which of the runs of before belong to a
# chat, so all are taken for such, and stay until a person deletes them.
_TABLES = """
ALTER TABLE run ADD COLUMN of_chat boolean NOT NULL DEFAULT true;
ALTER TABLE run ADD COLUMN events_kept boolean NOT NULL DEFAULT true;
"""


def upgrade() -> None:
    execute_script(_TABLES)
