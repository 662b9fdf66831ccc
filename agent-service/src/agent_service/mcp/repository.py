"""All SQL about MCP servers."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.mcp.models import McpServerRow


async def lock_organisation(session: AsyncSession, organisation_id: UUID) -> None:
    """Keeps other writers of this organisation's servers out until the transaction ends: counts and names stay true."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"mcp_server:{organisation_id}"})


async def add(session: AsyncSession, row: McpServerRow) -> None:
    session.add(row)
    await session.flush()


async def get(session: AsyncSession, *, server_id: UUID, organisation_id: UUID) -> McpServerRow | None:
    """The server when it is this organisation's."""
    query = select(McpServerRow).where(McpServerRow.id == server_id, McpServerRow.organisation_id == organisation_id)
    return (await session.execute(query)).scalar_one_or_none()


async def of_organisation(session: AsyncSession, organisation_id: UUID) -> Sequence[McpServerRow]:
    """Its servers by name."""
    query = select(McpServerRow).where(McpServerRow.organisation_id == organisation_id).order_by(McpServerRow.name)
    return (await session.execute(query)).scalars().all()


async def every(session: AsyncSession) -> Sequence[McpServerRow]:
    """The servers of all organisations."""
    return (await session.execute(select(McpServerRow))).scalars().all()


async def count(session: AsyncSession, organisation_id: UUID) -> int:
    query = select(func.count()).select_from(McpServerRow).where(McpServerRow.organisation_id == organisation_id)
    return (await session.execute(query)).scalar_one()


async def is_name_taken(session: AsyncSession, *, name: str, organisation_id: UUID) -> bool:
    query = select(McpServerRow.id).where(McpServerRow.name == name, McpServerRow.organisation_id == organisation_id)
    return (await session.execute(query)).first() is not None


async def change(session: AsyncSession, *, server_id: UUID, values: Mapping[str, Any]) -> None:
    await session.execute(update(McpServerRow).where(McpServerRow.id == server_id).values(**values))


async def remove(session: AsyncSession, *, server_id: UUID) -> None:
    await session.execute(delete(McpServerRow).where(McpServerRow.id == server_id))
