"""The tables of knowledge bases."""

from datetime import datetime
from uuid import UUID

from shared.db import Base
from sqlalchemy import DateTime, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column


class KnowledgeBaseRow(Base):
    """A named set of files. `access` organisation: everyone there may read it; only its owner changes it."""

    __tablename__ = "knowledge_base"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    access: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class KnowledgeBaseFileRow(Base):
    """A file in a knowledge base."""

    __tablename__ = "knowledge_base_file"

    knowledge_base_id: Mapped[UUID] = mapped_column(ForeignKey("knowledge_base.id"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
