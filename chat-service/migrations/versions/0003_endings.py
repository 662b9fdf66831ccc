"""Replies know why they ended, what was thought and what was left out; turns say how their owner is seen to live and why they must end."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
-- depth: how many messages the branch has up to this one; null on messages of before, until one below them is written.
ALTER TABLE message
    ADD COLUMN finish_reason text,
    ADD COLUMN reasoning text NOT NULL DEFAULT '',
    ADD COLUMN left_out jsonb,
    ADD COLUMN depth int;

-- guarded: the owner holds an advisory lock while it lives. Code of before holds none, so its turns end by their lease only.
ALTER TABLE turn
    ADD COLUMN guarded boolean NOT NULL DEFAULT false,
    ADD COLUMN end_reason text;
CREATE INDEX ix_turn_running_key ON turn (key_id) WHERE status = 'running' AND key_id IS NOT NULL;
"""


def upgrade() -> None:
    execute_script(_TABLES)


def downgrade() -> None:
    raise RuntimeError("there is no way back that keeps the chats; restore a backup instead")
