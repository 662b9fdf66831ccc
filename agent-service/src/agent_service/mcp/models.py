"""The table of MCP servers that administrators added."""

from datetime import datetime
from uuid import UUID

from shared.db import Base
from sqlalchemy import ARRAY, DateTime, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column


class McpServerRow(Base):
    """One server of one organisation. `sealed_headers` is encrypted; `tools` null: all it lists."""

    __tablename__ = "mcp_server"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    created_by: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    sealed_headers: Mapped[bytes | None]
    header_names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    tools: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    connect_timeout_s: Mapped[float]
    call_timeout_s: Mapped[float]
    enabled: Mapped[bool]
    access_roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    access_team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    access_user_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    approval: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
