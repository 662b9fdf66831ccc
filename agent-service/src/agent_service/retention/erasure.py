"""What a person has in the agent-service. MCP servers belong to their organisation, but name who may use
them.
"""

from shared.erasure import Belongings, repeated_writes, rows

# With its steps, events and files. One that is under way finds itself gone and ends.
_RUNS_SQL = """
WITH gone AS (
    DELETE FROM run WHERE id IN (SELECT id FROM run WHERE user_id = :user_id LIMIT :rows_max FOR UPDATE)
    RETURNING 1)
SELECT count(*) FROM gone
"""
_AGENTS_SQL = """
WITH gone AS (
    DELETE FROM agent WHERE id IN (SELECT id FROM agent WHERE user_id = :user_id LIMIT :rows_max FOR UPDATE)
    RETURNING 1)
SELECT count(*) FROM gone
"""
_ACCESS_SQL = """
WITH changed AS (
    UPDATE mcp_server SET access_user_ids = array_remove(access_user_ids, CAST(:user_id AS uuid)) WHERE id IN
    (
        SELECT id FROM mcp_server WHERE CAST(:user_id AS uuid) = ANY (access_user_ids) LIMIT :rows_max FOR
        UPDATE) RETURNING 1)
SELECT count(*) FROM changed
"""
BELONGINGS: tuple[Belongings, ...] = (
    rows(_RUNS_SQL, rows_max=20),
    rows(_AGENTS_SQL),
    rows(_ACCESS_SQL),
    repeated_writes(),
)
