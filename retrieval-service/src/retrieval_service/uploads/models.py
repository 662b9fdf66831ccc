"""The tables of resumable uploads."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db import Base
from sqlalchemy import BigInteger, DateTime, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column


class UploadRow(Base):
    """A file on its way. `file_id` set: it has arrived. `error_code` set: it was refused."""

    __tablename__ = "upload"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    team_id: Mapped[UUID]
    user_id: Mapped[UUID]
    principal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str | None] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)
    knowledge_base_id: Mapped[UUID | None]
    offset_bytes: Mapped[int] = mapped_column(BigInteger)
    file_id: Mapped[UUID | None]
    error_status: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(Text)
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class UploadPartRow(Base):
    """One chunk that is in the object store."""

    __tablename__ = "upload_part"

    upload_id: Mapped[UUID] = mapped_column(ForeignKey("upload.id"), primary_key=True)
    offset_bytes: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    s3_key: Mapped[str] = mapped_column(Text)
