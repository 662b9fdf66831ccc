"""Rules about passages. Who may see one is decided by the file it is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.ids import uuid7
from shared.pagination import CursorInvalid, Page, cursor
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.chunks import repository
from retrieval_service.chunks.errors import ChunkNotFound
from retrieval_service.chunks.models import ChunkRow
from retrieval_service.chunks.schemas import Chunk, ChunkInContext
from retrieval_service.files import service as files
from retrieval_service.parsing.frames import TextChunk
from retrieval_service.parsing.splitter import HEADING_SEPARATOR

_HEADING_MARKS = 8  # "###### " before a heading of Markdown


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A passage as other features see it."""

    id: UUID
    file_id: UUID
    ordinal: int
    text: str
    page: int | None
    heading: str | None
    start: int
    end: int
    token_count: int

    @property
    def search_text(self) -> str:
        """What is embedded and indexed: the passage under its nearest heading, when it does not begin with
        that.
        """
        nearest = (self.heading or "").rpartition(HEADING_SEPARATOR)[2]
        return (
            self.text if nearest in self.text[: len(nearest) + _HEADING_MARKS] else f"{nearest}\n{self.text}"
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the passages of one file; `first_id` is what its document names as its first point."""

    chunks: int
    tokens: int
    first_id: UUID | None


def _stored(row: ChunkRow) -> StoredChunk:
    return StoredChunk(
        id=row.id,
        file_id=row.file_id,
        ordinal=row.ordinal,
        text=row.text,
        page=row.page,
        heading=row.heading,
        start=row.start_offset,
        end=row.end_offset,
        token_count=row.token_count,
    )


async def passages(session: AsyncSession, chunk_ids: Sequence[UUID]) -> dict[UUID, StoredChunk]:
    """By id, of chunks the caller already knows to be visible; one that is gone is absent."""
    return {row.id: _stored(row) for row in await repository.by_ids(session, ids=chunk_ids)}


async def add(session: AsyncSession, file_id: UUID, first_ordinal: int, chunks: Sequence[TextChunk]) -> None:
    """Append to a file's passages."""
    rows: list[dict[str, object]] = [
        {
            "id": uuid7(),
            "file_id": file_id,
            "ordinal": ordinal,
            "text": chunk.text,
            "page": chunk.page,
            "heading": chunk.heading,
            "start_offset": chunk.start,
            "end_offset": chunk.end,
            "token_count": chunk.token_count,
        }
        for ordinal, chunk in enumerate(chunks, start=first_ordinal)
    ]
    await repository.add(session, rows)


async def remove(session: AsyncSession, file_id: UUID) -> None:
    await repository.remove(session, file_id=file_id)


async def stretch(session: AsyncSession, file_id: UUID, *, first: int, limit: int) -> list[StoredChunk]:
    """In order, from the ordinal `first`."""
    return [
        _stored(row) for row in await repository.stretch(session, file_id=file_id, first=first, limit=limit)
    ]


async def first_of(session: AsyncSession, file_ids: Sequence[UUID], *, limit: int) -> list[StoredChunk]:
    """File by file in order, of files the caller already knows to be visible."""
    return [_stored(row) for row in await repository.first_of(session, file_ids=file_ids, limit=limit)]


async def totals(session: AsyncSession, file_id: UUID) -> Totals:
    count, tokens = await repository.totals(session, file_id=file_id)
    return Totals(count, tokens, await repository.first_id(session, file_id=file_id))


async def counts_by_file(session: AsyncSession, *, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
    """(file, chunks) of all files that have some, a page at a time: what is compared with the
    vector store.
    """
    return await repository.counts_by_file(session, after=after, limit=limit)


async def list_page(
    session: AsyncSession, principal: Principal, file_id: UUID, *, after: str | None, limit: int
) -> Page[Chunk]:
    """One page in reading order; none before the file is ready. Raises: FileNotFound, CursorInvalid."""
    file = await files.visible_file(session, principal, file_id)
    if file.stage != "ready":
        return Page[Chunk](data=[])
    after_id = cursor(after)
    first = 0 if after_id is None else await _ordinal_after(session, file_id, after_id)
    rows = await repository.stretch(session, file_id=file_id, first=first, limit=limit + 1)
    shown = rows[:limit]
    last_id = str(shown[-1].id) if shown else None
    return Page[Chunk](
        data=[Chunk(**_members(row)) for row in shown], has_more=len(rows) > limit, last_id=last_id
    )


async def read(session: AsyncSession, principal: Principal, file_id: UUID, chunk_id: UUID) -> ChunkInContext:
    """The passage that a citation opens. Raises: FileNotFound, ChunkNotFound."""
    file = await files.visible_file(session, principal, file_id)
    row = await repository.get(session, file_id=file_id, chunk_id=chunk_id) if file.stage == "ready" else None
    if row is None:
        raise ChunkNotFound
    near = await repository.stretch(session, file_id=file_id, first=row.ordinal - 1, limit=3)
    previous = next((other for other in near if other.ordinal == row.ordinal - 1), None)
    following = next((other for other in near if other.ordinal == row.ordinal + 1), None)
    return ChunkInContext(
        **_members(row),
        file_id=file_id,
        filename=file.filename,
        # Neighbours overlap: each character is shown once.
        before=previous.text[: row.start_offset - previous.start_offset] if previous else None,
        after=following.text[max(0, row.end_offset - following.start_offset) :] if following else None,
        previous_chunk_id=previous.id if previous else None,
        next_chunk_id=following.id if following else None,
    )


async def _ordinal_after(session: AsyncSession, file_id: UUID, after_id: UUID) -> int:
    row = await repository.get(session, file_id=file_id, chunk_id=after_id)
    if row is None:
        raise CursorInvalid
    return row.ordinal + 1


def _members(row: ChunkRow) -> dict[str, Any]:
    return {
        "chunk_id": row.id,
        "ordinal": row.ordinal,
        "text": row.text,
        "page": row.page,
        "heading": row.heading,
        "start": row.start_offset,
        "end": row.end_offset,
        "token_count": row.token_count,
    }
