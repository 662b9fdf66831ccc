"""All SQL about the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.streams.live import Chunk, Kind
from chat_service.streams.models import JournalRow

JOURNAL_CHANNEL = "atrium_chat_journal"

_ROWS = """unnest(
    CAST(:turn_ids AS uuid[]), CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:kinds AS
    text[]), CAST(:payloads AS text[])
) AS c (turn_id, first_id, last_id, kind, payload)"""

# The key-share lock on the turn's row makes the sweeper (FOR UPDATE) wait for this write, and this write miss
# a turn that was ended: a process that lost its lease can never add to a reply that was folded.
_WRITE = text(f"""
WITH owned AS (
    SELECT id FROM turn WHERE id = ANY(CAST(:turns AS uuid[])) AND owner = :owner AND status = 'running' FOR
    KEY SHARE
), written AS (
    INSERT INTO journal (turn_id, first_id, last_id, kind, payload)
    SELECT c.turn_id, c.first_id, c.last_id, c.kind, c.payload
    FROM {_ROWS} JOIN owned ON owned.id = c.turn_id
    ON CONFLICT DO NOTHING
)
SELECT id, pg_notify('{JOURNAL_CHANNEL}', CAST(id AS text)) FROM owned
""")  # noqa: S608 - the parts are constants

# A row may be there already: of a flush that was committed without this process hearing of it.
_ADD = text(f"""
WITH written AS (
    INSERT INTO journal (turn_id, first_id, last_id, kind, payload)
    SELECT c.turn_id, c.first_id, c.last_id, c.kind, c.payload FROM {_ROWS}
    ON CONFLICT DO NOTHING
)
SELECT pg_notify('{JOURNAL_CHANNEL}', :turn_id)
""")  # noqa: S608 - the parts are constants


async def write(session: AsyncSession, chunks: Sequence[Chunk], *, owner: str) -> set[UUID]:
    """Add rows of any number of turns in one statement and wake their followers; returns the turns that
    `owner` still owns.
    """
    values = {
        "owner": owner,
        "turns": list({chunk.turn_id for chunk in chunks}),
        **_columns(chunks),
    }
    return {row.id for row in await session.execute(_WRITE, values)}


async def add(session: AsyncSession, chunks: Sequence[Chunk]) -> None:
    """Add the last rows of a turn whose row the caller has locked, and wake its followers."""
    await session.execute(_ADD, {**_columns(chunks), "turn_id": str(chunks[0].turn_id)})


def _columns(chunks: Sequence[Chunk]) -> dict[str, Any]:
    return {
        "turn_ids": [chunk.turn_id for chunk in chunks],
        "first_ids": [chunk.first_id for chunk in chunks],
        "last_ids": [chunk.last_id for chunk in chunks],
        "kinds": [chunk.kind for chunk in chunks],
        "payloads": [chunk.payload for chunk in chunks],
    }


async def read(session: AsyncSession, *, turn_id: UUID, after: int, limit: int) -> list[Chunk]:
    """Rows that hold an id above `after`, in order."""
    query = (
        select(JournalRow)
        .where(JournalRow.turn_id == turn_id, JournalRow.last_id > after)
        .order_by(JournalRow.first_id)
        .limit(limit)
    )
    return [_chunk(row) for row in (await session.execute(query)).scalars()]


async def holds(session: AsyncSession, *, turn_id: UUID, event_id: int) -> bool:
    """Whether the journal has this very event."""
    query = select(JournalRow.first_id).where(
        JournalRow.turn_id == turn_id, JournalRow.first_id <= event_id, JournalRow.last_id >= event_id
    )
    return (await session.execute(query.limit(1))).first() is not None


async def last_id(session: AsyncSession, *, turn_id: UUID) -> int | None:
    query = select(func.max(JournalRow.last_id)).where(JournalRow.turn_id == turn_id)
    return (await session.execute(query)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class RunningReply:
    """The turn in which an agent writes a reply. `principal`: claims; `left_out`: what chat did not send to
    the run, JSON.
    """

    turn_id: UUID
    first_event_id: int
    principal: dict[str, Any]
    left_out: dict[str, Any] | None


_RUNNING_REPLY = text("""
SELECT turn.id, turn.first_event_id, turn.principal, message.left_out
FROM turn JOIN message ON message.id = turn.message_id AND message.chat_id = turn.chat_id
WHERE message.turn_id = turn.id AND turn.message_id = :message_id AND turn.status = 'running' AND turn.kind =
'agent'
    AND turn.principal IS NOT NULL
""").columns(principal=JSONB, left_out=JSONB)


async def running_reply(session: AsyncSession, *, message_id: UUID) -> RunningReply | None:
    """The reply, when an agent writes it at the moment."""
    row = (await session.execute(_RUNNING_REPLY, {"message_id": message_id})).one_or_none()
    return None if row is None else RunningReply(row.id, row.first_event_id, row.principal, row.left_out)


def _chunk(row: JournalRow) -> Chunk:
    return Chunk(row.turn_id, row.first_id, row.last_id, cast("Kind", row.kind), row.payload)
