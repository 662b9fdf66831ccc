"""The table of journal rows: append-only, one row per flush and kind, never updated."""

from uuid import UUID

from shared.db import Base
from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column


class JournalRow(Base):
    """Events `first_id` to `last_id` of a turn; see live.Chunk for `payload`."""

    __tablename__ = "journal"

    turn_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
