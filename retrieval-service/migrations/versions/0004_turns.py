"""Whose file is read next and what is under way: for fair turns, and for ending what a person runs.

Both indexes hold the few files that are not done. Building them reads the table of files once, a second for a million of them.
"""

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHANGES = """
CREATE INDEX ix_file_turn ON file (user_id, id) WHERE stage = 'queued' AND enqueued_attempt < attempt AND deleted_at IS NULL;
CREATE INDEX ix_file_unfinished ON file (updated_at) WHERE stage IN ('queued', 'parsing', 'embedding');
"""


def upgrade() -> None:
    execute_script(_CHANGES)


def downgrade() -> None:
    execute_script("DROP INDEX ix_file_unfinished; DROP INDEX ix_file_turn;")
