"""Why runs ended, what their models thought and did not see, under which key they run; who may use an MCP server."""

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Every column has a default: the code before this one writes rows without them.
_TABLES = """
ALTER TABLE run ADD COLUMN key_id uuid;
ALTER TABLE run ADD COLUMN end_reason text;
ALTER TABLE run ADD COLUMN finish_reason text;
ALTER TABLE run ADD COLUMN left_out text;
UPDATE run SET key_id = (principal ->> 'key')::uuid
    WHERE status IN ('queued', 'running', 'awaiting_approval') AND principal ->> 'key' IS NOT NULL;
CREATE INDEX ix_run_open_key ON run (key_id) WHERE key_id IS NOT NULL AND status IN ('queued', 'running', 'awaiting_approval');

ALTER TABLE run_step ADD COLUMN reasoning text NOT NULL DEFAULT '';
ALTER TABLE run_step ADD COLUMN finish_reason text;

-- Nobody but administrators, who are not listed, until somebody is named.
ALTER TABLE mcp_server ADD COLUMN access_roles text[] NOT NULL DEFAULT '{}';
ALTER TABLE mcp_server ADD COLUMN access_team_ids uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE mcp_server ADD COLUMN access_user_ids uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE mcp_server ADD COLUMN approval text NOT NULL DEFAULT 'unless_read_only'
    CONSTRAINT ck_mcp_server_approval CHECK (approval IN ('never', 'unless_read_only', 'always'));
"""


def upgrade() -> None:
    execute_script(_TABLES)
