"""The last check of each MCP server, made by one process for all."""

from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# No foreign key: servers of the operator's file have no row.
_TABLES = """
CREATE TABLE mcp_check (
    server_id uuid CONSTRAINT pk_mcp_check PRIMARY KEY,
    claimed_at timestamptz NOT NULL,
    revision text NOT NULL,
    checked_at timestamptz,
    latency_ms double precision,
    error text,
    tools_digest text
);
"""


def upgrade() -> None:
    execute_script(_TABLES)
