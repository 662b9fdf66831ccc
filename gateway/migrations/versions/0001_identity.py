"""Organisations, teams, people, sessions, API keys, audit log, outbox."""

from shared.idempotency import IDEMPOTENCY_SQL
from shared.migrations import execute_script
from shared.outbox import OUTBOX_SQL

revision = "0001"
down_revision = None

_SQL = """
CREATE TABLE schema_info (min_code int NOT NULL);
INSERT INTO schema_info (min_code) VALUES (1);

CREATE TABLE organisation (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    usage_mode text NOT NULL CONSTRAINT ck_organisation_usage_mode CHECK (usage_mode IN ('local', 'external', 'hybrid')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE team (
    id uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_team_organisation_id_name UNIQUE (organisation_id, name)
);

INSERT INTO organisation (id, name, usage_mode) VALUES ('a0000000-0000-4000-8000-000000000000', 'Default', 'hybrid');
INSERT INTO team (id, organisation_id, name)
VALUES ('a0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000000', 'Default');

CREATE TABLE user_account (
    id uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    email text NOT NULL CONSTRAINT uq_user_account_email UNIQUE CONSTRAINT ck_user_account_email_lower CHECK (email = lower(email)),
    name text NOT NULL,
    role text NOT NULL CONSTRAINT ck_user_account_role
        CHECK (role IN ('admin', 'admin-readonly', 'finance', 'org-admin', 'team-admin', 'user', 'pending')),
    status text NOT NULL CONSTRAINT ck_user_account_status CHECK (status IN ('active', 'suspended')),
    last_signin_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_user_account_activity ON user_account (organisation_id, updated_at DESC, id DESC);

CREATE TABLE membership (
    user_id uuid NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    team_id uuid NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, team_id)
);
CREATE INDEX ix_membership_team_id ON membership (team_id);

CREATE TABLE password (
    user_id uuid PRIMARY KEY REFERENCES user_account (id) ON DELETE CASCADE,
    hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE session (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    user_agent text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text
);
CREATE INDEX ix_session_user_id ON session (user_id, last_used_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX ix_session_expires_at ON session (expires_at);

CREATE TABLE refresh_token (
    token_sha256 bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    replaced_at timestamptz,
    successor_nonce bytea,
    CONSTRAINT ck_refresh_token_replaced CHECK ((replaced_at IS NULL) = (successor_nonce IS NULL))
);
CREATE INDEX ix_refresh_token_session_id ON refresh_token (session_id);
-- A chain has one live end.
CREATE UNIQUE INDEX uq_refresh_token_live ON refresh_token (session_id) WHERE replaced_at IS NULL;

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    team_id uuid NOT NULL REFERENCES team (id),
    name text NOT NULL,
    prefix text NOT NULL,
    key_sha256 bytea NOT NULL CONSTRAINT uq_api_key_key_sha256 UNIQUE,
    previous_sha256 bytea CONSTRAINT uq_api_key_previous_sha256 UNIQUE,
    previous_expires_at timestamptz,
    scopes text[],
    models text[] NOT NULL DEFAULT '{}',
    rpm int CONSTRAINT ck_api_key_rpm CHECK (rpm > 0),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_api_key_user_id ON api_key (user_id, id DESC) WHERE revoked_at IS NULL;

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    actor_id uuid,
    actor_key_id uuid,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id uuid NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_audit_log_organisation_id ON audit_log (organisation_id, id DESC);
-- The record of acts is not the service's to rewrite.
REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM gateway_app;
"""


def upgrade() -> None:
    execute_script(_SQL + OUTBOX_SQL + IDEMPOTENCY_SQL)
