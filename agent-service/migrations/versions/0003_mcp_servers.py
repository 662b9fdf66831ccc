"""MCP servers that administrators added by the API."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The headers hold tokens: encrypted by the service, which alone has the key.
_TABLES = """
CREATE TABLE mcp_server (
    id uuid CONSTRAINT pk_mcp_server PRIMARY KEY,
    organisation_id uuid NOT NULL,
    created_by uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    sealed_headers bytea,
    header_names text[] NOT NULL,
    tools text[],
    connect_timeout_s double precision NOT NULL,
    call_timeout_s double precision NOT NULL,
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT uq_mcp_server_organisation_id_name UNIQUE (organisation_id, name)
);
"""


def upgrade() -> None:
    execute_script(_TABLES)
