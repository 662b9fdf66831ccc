"""Chats, the message tree, turns with their leases, the journal of streaming replies."""

from shared.idempotency import IDEMPOTENCY_SQL
from shared.migrations import execute_script
from shared.outbox import OUTBOX_SQL

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE schema_info (min_code int NOT NULL);
INSERT INTO schema_info (min_code) VALUES (1);

CREATE TABLE chat (
    id uuid CONSTRAINT pk_chat PRIMARY KEY,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    title text,
    model text,
    current_message_id uuid,
    archived boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ix_chat_activity ON chat (user_id, archived, updated_at DESC, id DESC);

-- The key starts with the chat: it serves the tree's foreign key, so a parent is always in the same chat.
CREATE TABLE message (
    id uuid NOT NULL,
    chat_id uuid NOT NULL CONSTRAINT fk_message_chat_id REFERENCES chat (id) ON DELETE CASCADE,
    parent_id uuid,
    role text NOT NULL CONSTRAINT ck_message_role CHECK (role IN ('user', 'assistant')),
    content text NOT NULL,
    model text,
    status text NOT NULL
        CONSTRAINT ck_message_status CHECK (status IN ('streaming', 'complete', 'stopped', 'interrupted', 'failed')),
    error jsonb,
    prompt_tokens bigint,
    completion_tokens bigint,
    cost_nano bigint,
    remaining_nano bigint,
    turn_id uuid,
    stream_from bigint,
    stream_to bigint,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_message PRIMARY KEY (chat_id, id),
    CONSTRAINT fk_message_parent FOREIGN KEY (chat_id, parent_id) REFERENCES message (chat_id, id)
);
CREATE INDEX ix_message_siblings ON message (chat_id, parent_id, created_at, id);

CREATE TABLE turn (
    id uuid CONSTRAINT pk_turn PRIMARY KEY,
    chat_id uuid NOT NULL,
    message_id uuid NOT NULL,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    key_id uuid,
    model text NOT NULL,
    status text NOT NULL
        CONSTRAINT ck_turn_status CHECK (status IN ('running', 'complete', 'stopped', 'interrupted', 'failed')),
    owner text NOT NULL,
    lease_until timestamptz NOT NULL,
    stop_requested boolean NOT NULL DEFAULT false,
    first_event_id bigint NOT NULL,
    dispatch_id text,
    tokens_known boolean NOT NULL DEFAULT false,
    cost_pending boolean NOT NULL DEFAULT false,
    cost_checks int NOT NULL DEFAULT 0,
    cost_check_at timestamptz,
    journaled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT fk_turn_message FOREIGN KEY (chat_id, message_id) REFERENCES message (chat_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_turn_message ON turn (chat_id, message_id);
CREATE INDEX ix_turn_running ON turn (user_id) WHERE status = 'running';
CREATE INDEX ix_turn_cost_pending ON turn (cost_check_at) WHERE cost_pending;
CREATE INDEX ix_turn_journaled ON turn (ended_at) WHERE journaled AND ended_at IS NOT NULL;

CREATE TABLE journal (
    turn_id uuid NOT NULL CONSTRAINT fk_journal_turn_id REFERENCES turn (id) ON DELETE CASCADE,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    kind text NOT NULL,
    payload text NOT NULL,
    CONSTRAINT pk_journal PRIMARY KEY (turn_id, first_id)
);
"""


def upgrade() -> None:
    execute_script(_TABLES + IDEMPOTENCY_SQL + OUTBOX_SQL)


def downgrade() -> None:
    raise RuntimeError("there is no way back that keeps the chats; restore a backup instead")
