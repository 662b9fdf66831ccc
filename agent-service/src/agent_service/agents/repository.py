"""All SQL about agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.agents.models import AgentRow


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose agents are looked for."""

    user_id: UUID
    organisation_id: UUID


def _visible(reader: Reader) -> ColumnElement[bool]:
    """One's own agents and those their owners opened to the organisation."""
    shared = and_(AgentRow.organisation_id == reader.organisation_id, AgentRow.access == "organisation")
    return or_(AgentRow.user_id == reader.user_id, shared)


async def add(session: AsyncSession, row: AgentRow) -> None:
    session.add(row)
    await session.flush()


async def count_own(session: AsyncSession, *, user_id: UUID) -> int:
    """The person's agents, under a lock that makes two posts at once count one after the other."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"agents:{user_id}", 0))))
    return (await session.execute(select(func.count()).where(AgentRow.user_id == user_id))).scalar_one()


async def get_visible(
    session: AsyncSession, reader: Reader, agent_id: UUID, *, lock: bool = False
) -> AgentRow | None:
    query = select(AgentRow).where(AgentRow.id == agent_id, _visible(reader))
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def list_visible(
    session: AsyncSession, reader: Reader, *, before: UUID | None, limit: int
) -> Sequence[AgentRow]:
    """Newest first, made before `before`: ids grow with time."""
    query = select(AgentRow).where(_visible(reader))
    if before is not None:
        query = query.where(AgentRow.id < before)
    return (await session.execute(query.order_by(AgentRow.id.desc()).limit(limit))).scalars().all()


async def change(session: AsyncSession, agent_id: UUID, values: Mapping[str, Any]) -> None:
    await session.execute(update(AgentRow).where(AgentRow.id == agent_id).values(**values))


async def remove(session: AsyncSession, agent_id: UUID) -> None:
    await session.execute(delete(AgentRow).where(AgentRow.id == agent_id))
