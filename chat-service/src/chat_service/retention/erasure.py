"""What a person has in the chat-service. Their runs are the agent-service's, which hears of the account by
itself.
"""

from shared.erasure import Belongings, repeated_writes, rows

# With its messages, turns and journals.
_CHATS_SQL = """
WITH gone AS (
    DELETE FROM chat WHERE id IN (SELECT id FROM chat WHERE user_id = :user_id LIMIT :rows_max FOR UPDATE)
    RETURNING 1)
SELECT count(*) FROM gone
"""
BELONGINGS: tuple[Belongings, ...] = (rows(_CHATS_SQL, rows_max=20), repeated_writes())
