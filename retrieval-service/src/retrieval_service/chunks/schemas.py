"""Passages as the API shows them."""

from uuid import UUID

from pydantic import BaseModel, Field


class Chunk(BaseModel):
    """One passage of a file. `start` and `end` are character offsets in the text of the document."""

    chunk_id: UUID
    ordinal: int = Field(description="from 0")
    text: str
    page: int | None = Field(description="of its first character, from 1; null: the format has no pages")
    heading: str | None = Field(description="the headings it stands under, outermost first")
    start: int
    end: int
    token_count: int


class ChunkInContext(Chunk):
    """A passage with what stands around it, as far as the neighbouring passages reach."""

    file_id: UUID
    filename: str
    before: str | None = Field(description="text just before the passage; null: it is the first")
    after: str | None = Field(description="text just after the passage; null: it is the last")
    previous_chunk_id: UUID | None
    next_chunk_id: UUID | None
