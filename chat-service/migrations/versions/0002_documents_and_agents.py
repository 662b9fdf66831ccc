"""Chats know their knowledge and agent, messages their files, citations and steps, turns what another process needs to take them over."""

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE chat
    ADD COLUMN knowledge_base_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN agent_id uuid;

-- branch_file_ids: what was attached up to here, newest first, bounded. It is carried along instead of walking the branch,
-- so that a turn costs the same in a long chat.
ALTER TABLE message
    ADD COLUMN attachments jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN branch_file_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN citations jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN steps jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN agent_id uuid;

ALTER TABLE turn
    ADD COLUMN kind text NOT NULL DEFAULT 'plain' CONSTRAINT ck_turn_kind CHECK (kind IN ('plain', 'agent')),
    ADD COLUMN agent_id uuid,
    ADD COLUMN principal jsonb,
    ADD COLUMN request jsonb;

-- Runs that must end although the agent-service may not hear it at once: stopped, deleted or given up.
CREATE TABLE run_cancellation (
    run_id uuid CONSTRAINT pk_run_cancellation PRIMARY KEY,
    principal jsonb NOT NULL,
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ix_run_cancellation_next_at ON run_cancellation (next_at);
"""


def upgrade() -> None:
    execute_script(_TABLES)


def downgrade() -> None:
    raise RuntimeError("there is no way back that keeps the chats; restore a backup instead")
