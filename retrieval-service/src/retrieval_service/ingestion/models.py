"""The table of vectors of texts that were embedded before."""

from datetime import datetime

from shared.db import Base
from sqlalchemy import DateTime, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column


class CachedVectorRow(Base):
    """`hash` is of model and text; `vector` little-endian float32."""

    __tablename__ = "embedding_cache"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model: Mapped[str] = mapped_column(Text)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
