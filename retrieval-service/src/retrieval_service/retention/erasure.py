"""What a person has in the retrieval-service. Objects, passages and vectors go with the tombstones and
uploads, by the jobs of those.
"""

from shared.erasure import Belongings, repeated_writes, rows

# From now on a tombstone; one that is being read stops at its next step.
_FILES_SQL = """
WITH buried AS (
    UPDATE file SET deleted_at = now(), updated_at = now() WHERE id IN (
        SELECT id FROM file WHERE user_id = :user_id AND deleted_at IS NULL LIMIT :rows_max FOR UPDATE)
        RETURNING id
), unlinked AS (
    DELETE FROM knowledge_base_file WHERE file_id IN (SELECT id FROM buried)
)
SELECT count(*) FROM buried
"""
_BASES_SQL = """
WITH gone AS (
    DELETE FROM knowledge_base WHERE id IN (
        SELECT id FROM knowledge_base WHERE user_id = :user_id LIMIT :rows_max FOR UPDATE) RETURNING 1)
SELECT count(*) FROM gone
"""
_UPLOADS_SQL = """
WITH ended AS (
    UPDATE upload SET expires_at = now() WHERE id IN (
        SELECT id FROM upload WHERE user_id = :user_id AND expires_at > now() LIMIT :rows_max FOR UPDATE)
        RETURNING 1)
SELECT count(*) FROM ended
"""
# Uploads first: a complete one becomes a file.
BELONGINGS: tuple[Belongings, ...] = (
    rows(_UPLOADS_SQL),
    rows(_FILES_SQL, rows_max=200),
    rows(_BASES_SQL, rows_max=50),
    repeated_writes(),
)
