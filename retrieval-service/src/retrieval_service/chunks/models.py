"""The table of chunks."""

from uuid import UUID

from shared.db import Base
from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column


class ChunkRow(Base):
    """One passage of a file; `ordinal` counts from 0, `page` from 1, offsets are characters of the document's
    text.
    """

    __tablename__ = "chunk"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID]
    ordinal: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None]
    heading: Mapped[str | None] = mapped_column(Text)
    start_offset: Mapped[int]
    end_offset: Mapped[int]
    token_count: Mapped[int]
