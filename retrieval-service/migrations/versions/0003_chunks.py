"""Passages of files, and vectors of texts that were embedded before."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE chunk (
    id uuid CONSTRAINT pk_chunk PRIMARY KEY,
    file_id uuid NOT NULL CONSTRAINT fk_chunk_file_id REFERENCES file (id) ON DELETE CASCADE,
    ordinal int NOT NULL CONSTRAINT ck_chunk_ordinal CHECK (ordinal >= 0),
    text text NOT NULL,
    page int,
    heading text,
    start_offset int NOT NULL,
    end_offset int NOT NULL,
    token_count int NOT NULL,
    CONSTRAINT uq_chunk_file_id UNIQUE (file_id, ordinal)
);

-- The key is the hash of model and text, so the text itself is not kept here.
CREATE TABLE embedding_cache (
    hash bytea CONSTRAINT pk_embedding_cache PRIMARY KEY,
    model text NOT NULL,
    vector bytea NOT NULL,
    used_at timestamptz NOT NULL
);
CREATE INDEX ix_embedding_cache_used_at ON embedding_cache (used_at);
"""


def upgrade() -> None:
    execute_script(_TABLES)


def downgrade() -> None:
    execute_script("DROP TABLE embedding_cache; DROP TABLE chunk;")
