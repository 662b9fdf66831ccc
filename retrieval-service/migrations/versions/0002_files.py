"""Files, resumable uploads, knowledge bases and what links them; Idempotency-Key."""

from shared.idempotency import IDEMPOTENCY_SQL
from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
-- A row without its deleted_at is a file; with it, a tombstone: no reader sees it, and a job removes what is left of it.
CREATE TABLE file (
    id uuid CONSTRAINT pk_file PRIMARY KEY,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    principal jsonb NOT NULL,
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL CONSTRAINT ck_file_size_bytes CHECK (size_bytes >= 0),
    sha256 text NOT NULL,
    s3_key text NOT NULL CONSTRAINT uq_file_s3_key UNIQUE,
    collection text NOT NULL,
    stage text NOT NULL
        CONSTRAINT ck_file_stage CHECK (stage IN ('queued', 'parsing', 'embedding', 'ready', 'failed', 'cancelled')),
    attempt int NOT NULL DEFAULT 1,
    enqueued_attempt int NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    progress_done bigint,
    progress_total bigint,
    progress_unit text CONSTRAINT ck_file_progress_unit CHECK (progress_unit IN ('bytes', 'pages', 'chunks')),
    error_code text,
    error_detail text,
    page_count int,
    chunk_count int,
    token_count bigint,
    first_point_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE INDEX ix_file_owner ON file (user_id, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_file_waiting ON file (id) WHERE stage = 'queued' AND enqueued_attempt < attempt AND deleted_at IS NULL;
CREATE INDEX ix_file_tombstone ON file (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX ix_file_collection ON file (collection);

CREATE TABLE knowledge_base (
    id uuid CONSTRAINT pk_knowledge_base PRIMARY KEY,
    organisation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    access text NOT NULL CONSTRAINT ck_knowledge_base_access CHECK (access IN ('private', 'organisation')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ix_knowledge_base_owner ON knowledge_base (user_id, id);
CREATE INDEX ix_knowledge_base_organisation ON knowledge_base (organisation_id, id) WHERE access = 'organisation';

CREATE TABLE knowledge_base_file (
    knowledge_base_id uuid NOT NULL
        CONSTRAINT fk_knowledge_base_file_knowledge_base_id REFERENCES knowledge_base (id) ON DELETE CASCADE,
    file_id uuid NOT NULL CONSTRAINT fk_knowledge_base_file_file_id REFERENCES file (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_knowledge_base_file PRIMARY KEY (knowledge_base_id, file_id)
);
CREATE INDEX ix_knowledge_base_file_file_id ON knowledge_base_file (file_id);

-- Its offset moves only when the bytes below it are in the object store.
CREATE TABLE upload (
    id uuid CONSTRAINT pk_upload PRIMARY KEY,
    organisation_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    principal jsonb NOT NULL,
    filename text NOT NULL,
    content_type text,
    size_bytes bigint NOT NULL CONSTRAINT ck_upload_size_bytes CHECK (size_bytes > 0),
    sha256 text,
    knowledge_base_id uuid CONSTRAINT fk_upload_knowledge_base_id REFERENCES knowledge_base (id) ON DELETE SET NULL,
    offset_bytes bigint NOT NULL DEFAULT 0 CONSTRAINT ck_upload_offset_bytes CHECK (offset_bytes BETWEEN 0 AND size_bytes),
    file_id uuid,
    error_status int,
    error_code text,
    error_detail text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_upload_owner ON upload (user_id);
CREATE INDEX ix_upload_expires_at ON upload (expires_at);

CREATE TABLE upload_part (
    upload_id uuid NOT NULL CONSTRAINT fk_upload_part_upload_id REFERENCES upload (id) ON DELETE CASCADE,
    offset_bytes bigint NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    s3_key text NOT NULL,
    CONSTRAINT pk_upload_part PRIMARY KEY (upload_id, offset_bytes)
);
"""


def upgrade() -> None:
    execute_script(_TABLES + IDEMPOTENCY_SQL)


def downgrade() -> None:
    raise RuntimeError("there is no way back that keeps the files; restore a backup instead")
