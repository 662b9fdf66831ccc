"""The table of chats."""

from datetime import datetime
from uuid import UUID

from shared.db import Base
from sqlalchemy import DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column


class ChatRow(Base):
    """One chat of one person. `title` null: none was given and nothing was said yet."""

    __tablename__ = "chat"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    team_id: Mapped[UUID]
    user_id: Mapped[UUID]
    title: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    current_message_id: Mapped[UUID | None]
    archived: Mapped[bool]
    knowledge_base_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    agent_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
