"""All SQL about messages. Every walk is bounded: the cost of a read does not grow with the chat."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.contracts.chat import MessageStatus, Role
from shared.db import Base
from sqlalchemy import bindparam, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages.models import MessageRow

_DESCENT_MAX = 20_000

_PATH = """
WITH RECURSIVE path AS (
    SELECT m.id, m.parent_id, 1 AS depth
    FROM message m WHERE m.chat_id = :chat_id AND m.id = :leaf_id
  UNION ALL
    SELECT m.id, m.parent_id, p.depth + 1
    FROM path p JOIN message m ON m.chat_id = :chat_id AND m.id = p.parent_id
    WHERE p.depth < :depth_max
)
SELECT m.* FROM path p JOIN message m ON m.chat_id = :chat_id AND m.id = p.id ORDER BY p.depth DESC
"""

# The walk stops where the bytes are spent, so that a long branch is not read to be thrown away. It has two
# messages at least: a long reply that is continued comes with its question.
HISTORY = """
WITH RECURSIVE path AS (
    SELECT m.parent_id, m.role, m.content, 1 AS depth, octet_length(m.content) AS size_bytes
    FROM message m WHERE m.chat_id = :chat_id AND m.id = :leaf_id
  UNION ALL
    SELECT m.parent_id, m.role, m.content, p.depth + 1, p.size_bytes + octet_length(m.content)
    FROM path p JOIN message m ON m.chat_id = :chat_id AND m.id = p.parent_id
    WHERE p.depth < :depth_max AND (p.size_bytes < :bytes_max OR p.depth < 2)
)
SELECT role, content, (SELECT m.depth FROM message m WHERE m.chat_id = :chat_id AND m.id = :leaf_id) AS
branch_depth
FROM path ORDER BY depth DESC
"""

# For branches that were written before their messages were counted.
_DEPTH = """
WITH RECURSIVE up AS (
    SELECT m.parent_id, m.depth AS known, 1 AS steps FROM message m WHERE m.chat_id = :chat_id AND m.id =
    :message_id
  UNION ALL
    SELECT m.parent_id, m.depth, u.steps + 1
    FROM up u JOIN message m ON m.chat_id = :chat_id AND m.id = u.parent_id
    WHERE u.known IS NULL AND u.steps < :depth_max
)
SELECT steps + coalesce(known, 1) - 1 FROM up ORDER BY steps DESC LIMIT 1
"""

_NEWEST_LEAF = """
WITH RECURSIVE down AS (
    SELECT CAST(:message_id AS uuid) AS id, 1 AS depth
  UNION ALL
    SELECT child.id, d.depth + 1
    FROM down d CROSS JOIN LATERAL (
        SELECT m.id FROM message m WHERE m.chat_id = :chat_id AND m.parent_id = d.id
        ORDER BY m.created_at DESC, m.id DESC LIMIT 1
    ) child
    WHERE d.depth < :depth_max
)
SELECT id FROM down ORDER BY depth DESC LIMIT 1
"""


async def add(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert in the given order, in one statement: a parent may come right before its child."""
    await session.execute(_ADD, [dict(row) for row in rows])


# Built once: to build a statement and its cache key takes longer than to run it, and every turn runs these.
_TABLE = Base.metadata.tables[MessageRow.__tablename__]
_ADD = insert(_TABLE)
_GET = select(MessageRow).where(
    MessageRow.chat_id == bindparam("chat_id"), MessageRow.id == bindparam("message_id")
)
_GET_LOCKED = _GET.with_for_update()
_PARENT = text("""
SELECT m.role, m.status, m.depth, asked.branch_file_ids
FROM message m LEFT JOIN message asked ON asked.chat_id = m.chat_id AND asked.id = m.parent_id
WHERE m.chat_id = :chat_id AND m.id = :message_id
""")
_HISTORY = text(HISTORY)
_CLOSE = text("""
UPDATE message SET
    status = :status, finish_reason = :finish_reason, error = CAST(:error AS jsonb), stream_to = :stream_to,
    updated_at = :updated_at, content = CASE WHEN CAST(:said AS text) = '' THEN content ELSE content ||
    CAST(:said AS text) END, reasoning = CASE WHEN CAST(:thought AS text) = '' THEN reasoning ELSE
    left(reasoning || CAST(:thought AS text), :thought_max) END, steps = coalesce(CAST(:steps AS jsonb),
    steps), citations = coalesce(CAST(:citations AS jsonb), citations), left_out = coalesce(CAST(:left_out AS
    jsonb), left_out), prompt_tokens = CASE WHEN CAST(:prompt_tokens AS bigint) IS NULL THEN prompt_tokens
        ELSE coalesce(prompt_tokens, 0) + CAST(:prompt_tokens AS bigint) END,
    completion_tokens = CASE WHEN CAST(:completion_tokens AS bigint) IS NULL THEN completion_tokens
        ELSE coalesce(completion_tokens, 0) + CAST(:completion_tokens AS bigint) END,
    cost_nano = CASE WHEN CAST(:cost_nano AS bigint) IS NULL THEN cost_nano
        ELSE coalesce(cost_nano, 0) + CAST(:cost_nano AS bigint) END,
    remaining_nano = coalesce(CAST(:remaining_nano AS bigint), remaining_nano)
WHERE chat_id = :chat_id AND id = :message_id
RETURNING prompt_tokens, completion_tokens, cost_nano, remaining_nano
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reply took over all its turns, as far as it is known."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cost_nano: int | None
    remaining_nano: int | None


async def get(
    session: AsyncSession, *, chat_id: UUID, message_id: UUID, lock: bool = False
) -> MessageRow | None:
    values, fresh = {"chat_id": chat_id, "message_id": message_id}, {"populate_existing": True}
    return (
        await session.execute(_GET_LOCKED if lock else _GET, values, execution_options=fresh)
    ).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Parent:
    """What a new message needs to know of the reply it follows; `branch_file_ids` are those of the message
    that one answers.
    """

    role: Role
    status: MessageStatus
    branch_file_ids: Sequence[UUID]
    depth: int | None


async def get_parent(session: AsyncSession, *, chat_id: UUID, message_id: UUID) -> Parent | None:
    """One row of few columns: texts, steps and citations stay where they are."""
    row = (await session.execute(_PARENT, {"chat_id": chat_id, "message_id": message_id})).one_or_none()
    return None if row is None else Parent(row.role, row.status, row.branch_file_ids or (), row.depth)


async def agent_replies(session: AsyncSession, *, chat_id: UUID) -> Sequence[UUID]:
    """Ids of the replies that agents wrote, of all branches."""
    query = select(MessageRow.id).where(MessageRow.chat_id == chat_id, MessageRow.agent_id.is_not(None))
    return (await session.execute(query)).scalars().all()


async def count_depth(session: AsyncSession, *, chat_id: UUID, message_id: UUID) -> int:
    """How many messages a branch has up to this one, walked up to the nearest one that knows."""
    values = {"chat_id": chat_id, "message_id": message_id, "depth_max": _DESCENT_MAX}
    return (await session.execute(text(_DEPTH), values)).scalar_one()


async def path(
    session: AsyncSession, *, chat_id: UUID, leaf_id: UUID, depth_max: int
) -> Sequence[MessageRow]:
    """The last `depth_max` messages of the branch that ends in `leaf_id`, root first."""
    query = select(MessageRow).from_statement(text(_PATH)).execution_options(populate_existing=True)
    rows = await session.execute(query, {"chat_id": chat_id, "leaf_id": leaf_id, "depth_max": depth_max})
    return rows.scalars().all()


async def history(
    session: AsyncSession, *, chat_id: UUID, leaf_id: UUID, depth_max: int, bytes_max: int
) -> Sequence[tuple[Role, str, int | None]]:
    """Role and content of the newest part of a branch, root first, each with the branch's depth; the oldest
    row may pass the budget.
    """
    values = {"chat_id": chat_id, "leaf_id": leaf_id, "depth_max": depth_max, "bytes_max": bytes_max}
    return [(row.role, row.content, row.branch_depth) for row in await session.execute(_HISTORY, values)]


async def siblings(
    session: AsyncSession, *, chat_id: UUID, parent_ids: Iterable[UUID | None], limit: int
) -> Sequence[tuple[UUID | None, UUID]]:
    """(parent, child) of every child of the parents, oldest first; None is the parent of first messages."""
    parents = set(parent_ids)
    wanted = MessageRow.parent_id.in_([parent for parent in parents if parent is not None])
    if None in parents:
        wanted = or_(wanted, MessageRow.parent_id.is_(None))
    query = select(MessageRow.parent_id, MessageRow.id).where(MessageRow.chat_id == chat_id, wanted)
    rows = await session.execute(query.order_by(MessageRow.created_at, MessageRow.id).limit(limit))
    return [(row.parent_id, row.id) for row in rows]


async def count_children(session: AsyncSession, *, chat_id: UUID, parent_id: UUID | None, limit: int) -> int:
    """How many children there are, counted up to `limit`."""
    same_parent = MessageRow.parent_id.is_(None) if parent_id is None else MessageRow.parent_id == parent_id
    children = select(MessageRow.id).where(MessageRow.chat_id == chat_id, same_parent).limit(limit)
    return (await session.execute(select(func.count()).select_from(children.subquery()))).scalar_one()


async def newest_leaf(session: AsyncSession, *, chat_id: UUID, message_id: UUID) -> UUID:
    """The end of the branch reached from `message_id` by always taking the newest child."""
    values = {"chat_id": chat_id, "message_id": message_id, "depth_max": _DESCENT_MAX}
    return (await session.execute(text(_NEWEST_LEAF), values)).scalar_one()


async def change(
    session: AsyncSession, *, chat_id: UUID, message_id: UUID, values: Mapping[str, Any]
) -> None:
    await session.execute(
        update(MessageRow).where(MessageRow.chat_id == chat_id, MessageRow.id == message_id).values(**values)
    )


async def close(
    session: AsyncSession, *, chat_id: UUID, message_id: UUID, values: Mapping[str, Any]
) -> Taken | None:
    """Append what a turn wrote, once, add what it took, set the rest: all parameters of _CLOSE. None: the
    message is gone.
    """
    row = (
        await session.execute(_CLOSE, {"chat_id": chat_id, "message_id": message_id, **values})
    ).one_or_none()
    return (
        None
        if row is None
        else Taken(row.prompt_tokens, row.completion_tokens, row.cost_nano, row.remaining_nano)
    )


async def fold(
    session: AsyncSession,
    *,
    chat_id: UUID,
    message_id: UUID,
    added: Mapping[str, int],
    values: Mapping[str, Any],
) -> MessageRow | None:
    """Add what a turn took, set the rest; one statement. None: the message is gone."""
    counted: dict[str, Any] = {
        name: func.coalesce(getattr(MessageRow, name), 0) + amount for name, amount in added.items()
    }
    statement = (
        update(MessageRow)
        .where(MessageRow.chat_id == chat_id, MessageRow.id == message_id)
        .values(**counted, **values)
    )
    statement = statement.returning(MessageRow).execution_options(
        synchronize_session=False, populate_existing=True
    )
    return (await session.execute(statement)).scalar_one_or_none()
