"""Agents, runs with their steps, events and files, and the keys of repeated writes."""

from shared.idempotency import IDEMPOTENCY_SQL
from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What a model wrote is kept as text: jsonb refuses \u0000, and a run must not fail over what its model wrote.
_TABLES = """
CREATE TABLE agent (
    id uuid CONSTRAINT pk_agent PRIMARY KEY,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    instructions text NOT NULL,
    model text,
    tools jsonb NOT NULL,
    knowledge_base_ids uuid[] NOT NULL,
    access text NOT NULL CONSTRAINT ck_agent_access CHECK (access IN ('private', 'organisation')),
    limits jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ix_agent_user ON agent (user_id, id DESC);
CREATE INDEX ix_agent_organisation ON agent (organisation_id, id DESC) WHERE access = 'organisation';

-- No foreign key to agent: a run outlives its agent, and the built-in one has no row.
CREATE TABLE run (
    id uuid CONSTRAINT pk_run PRIMARY KEY,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    principal jsonb NOT NULL,
    agent_id uuid NOT NULL,
    agent_name text NOT NULL,
    model text NOT NULL,
    spec text NOT NULL,
    input text NOT NULL,
    status text NOT NULL
        CONSTRAINT ck_run_status CHECK (status IN ('queued', 'running', 'awaiting_approval', 'complete', 'stopped', 'failed')),
    output text NOT NULL DEFAULT '',
    error text,
    owner text,
    cancel_requested boolean NOT NULL DEFAULT false,
    approval_wait_ms bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX ix_run_user ON run (user_id, created_at DESC, id DESC);
CREATE INDEX ix_run_open ON run (user_id) WHERE status IN ('queued', 'running', 'awaiting_approval');

CREATE TABLE run_step (
    run_id uuid NOT NULL CONSTRAINT fk_run_step_run_id REFERENCES run (id) ON DELETE CASCADE,
    step int NOT NULL,
    attempt int NOT NULL,
    kind text NOT NULL CONSTRAINT ck_run_step_kind CHECK (kind IN ('model', 'tool')),
    name text NOT NULL,
    title text NOT NULL,
    status text NOT NULL
        CONSTRAINT ck_run_step_status CHECK (status IN ('running', 'awaiting_approval', 'done', 'failed', 'denied', 'cut')),
    call_id text,
    arguments text,
    result text,
    content text NOT NULL DEFAULT '',
    calls text NOT NULL DEFAULT '[]',
    citations text NOT NULL DEFAULT '[]',
    files text NOT NULL DEFAULT '[]',
    outcome text,
    decision text CONSTRAINT ck_run_step_decision CHECK (decision IN ('approve', 'deny')),
    decided_at timestamptz,
    dispatch_id text,
    prompt_tokens bigint,
    completion_tokens bigint,
    cost_nano bigint,
    remaining_nano bigint,
    cost_pending boolean NOT NULL DEFAULT false,
    cost_checks int NOT NULL DEFAULT 0,
    cost_check_at timestamptz,
    started_at timestamptz NOT NULL,
    duration_ms bigint,
    CONSTRAINT pk_run_step PRIMARY KEY (run_id, step, attempt)
);
CREATE INDEX ix_run_step_call ON run_step (run_id, call_id) WHERE call_id IS NOT NULL;
CREATE INDEX ix_run_step_cost_pending ON run_step (cost_check_at) WHERE cost_pending;
CREATE INDEX ix_run_step_awaiting ON run_step (run_id) WHERE status = 'awaiting_approval';

-- Append-only.
CREATE TABLE run_event (
    run_id uuid NOT NULL CONSTRAINT fk_run_event_run_id REFERENCES run (id) ON DELETE CASCADE,
    id bigint NOT NULL,
    event text NOT NULL,
    data text NOT NULL,
    CONSTRAINT pk_run_event PRIMARY KEY (run_id, id)
);

CREATE TABLE run_file (
    id uuid CONSTRAINT pk_run_file PRIMARY KEY,
    run_id uuid NOT NULL CONSTRAINT fk_run_file_run_id REFERENCES run (id) ON DELETE CASCADE,
    name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX ix_run_file_run ON run_file (run_id);
"""


def upgrade() -> None:
    execute_script(_TABLES + IDEMPOTENCY_SQL)
