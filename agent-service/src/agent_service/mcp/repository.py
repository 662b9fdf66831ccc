"""All SQL about MCP servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.mcp.models import McpServerRow


async def lock_organisation(session: AsyncSession, organisation_id: UUID) -> None:
    """Keeps other writers of this organisation's servers out until the transaction ends: counts and names
    stay true.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"mcp_server:{organisation_id}"},
    )


async def add(session: AsyncSession, row: McpServerRow) -> None:
    session.add(row)
    await session.flush()


async def get(session: AsyncSession, *, server_id: UUID, organisation_id: UUID) -> McpServerRow | None:
    """The server when it is this organisation's."""
    query = select(McpServerRow).where(
        McpServerRow.id == server_id, McpServerRow.organisation_id == organisation_id
    )
    return (await session.execute(query)).scalar_one_or_none()


async def of_organisation(session: AsyncSession, organisation_id: UUID) -> Sequence[McpServerRow]:
    """Its servers by name."""
    query = (
        select(McpServerRow)
        .where(McpServerRow.organisation_id == organisation_id)
        .order_by(McpServerRow.name)
    )
    return (await session.execute(query)).scalars().all()


async def every(session: AsyncSession) -> Sequence[McpServerRow]:
    """The servers of all organisations."""
    return (await session.execute(select(McpServerRow))).scalars().all()


@dataclass(frozen=True, slots=True)
class Check:
    """What the last check of a server found. `digest` is that of the tools it listed; None: it did not
    answer.
    """

    checked_at: datetime
    latency_ms: float | None
    error: str | None
    digest: str | None


_CLAIM = """
INSERT INTO mcp_check (server_id, revision, claimed_at)
SELECT c.server_id, c.revision, now() FROM unnest(CAST(:ids AS uuid[]), CAST(:revisions AS text[])) AS c
(server_id, revision)
ON CONFLICT (server_id) DO UPDATE SET claimed_at = now(), revision = excluded.revision
WHERE mcp_check.claimed_at < now() - make_interval(secs => :interval_s) OR mcp_check.revision <>
excluded.revision
RETURNING server_id
"""


async def claim_checks(session: AsyncSession, servers: Mapping[UUID, str], *, interval_s: float) -> set[UUID]:
    """Those of `servers` (id: revision) that are due, each to one process of all that ask."""
    values = {"ids": list(servers), "revisions": list(servers.values()), "interval_s": interval_s}
    return set((await session.execute(text(_CLAIM), values)).scalars())


async def note_check(session: AsyncSession, server_id: UUID, check: Check) -> None:
    values = {
        "id": server_id,
        "at": check.checked_at,
        "latency_ms": check.latency_ms,
        "error": check.error,
        "digest": check.digest,
    }
    statement = (
        "UPDATE mcp_check SET checked_at = :at, latency_ms = :latency_ms, error = :error, tools_digest = "
        ":digest WHERE server_id = :id"
    )
    await session.execute(text(statement), values)


async def checks(session: AsyncSession, server_ids: Sequence[UUID]) -> dict[UUID, Check]:
    """The last checks of these servers, whichever process made them."""
    query = text(
        "SELECT server_id, checked_at, latency_ms, error, tools_digest FROM mcp_check"
        " WHERE server_id = ANY(CAST(:ids AS uuid[])) AND checked_at IS NOT NULL"
    )
    rows = await session.execute(query, {"ids": list(server_ids)})
    return {row.server_id: Check(row.checked_at, row.latency_ms, row.error, row.tools_digest) for row in rows}


async def count(session: AsyncSession, organisation_id: UUID) -> int:
    query = (
        select(func.count()).select_from(McpServerRow).where(McpServerRow.organisation_id == organisation_id)
    )
    return (await session.execute(query)).scalar_one()


async def is_name_taken(session: AsyncSession, *, name: str, organisation_id: UUID) -> bool:
    query = select(McpServerRow.id).where(
        McpServerRow.name == name, McpServerRow.organisation_id == organisation_id
    )
    return (await session.execute(query)).first() is not None


async def change(session: AsyncSession, *, server_id: UUID, values: Mapping[str, Any]) -> None:
    await session.execute(update(McpServerRow).where(McpServerRow.id == server_id).values(**values))


async def remove(session: AsyncSession, *, server_id: UUID) -> None:
    await session.execute(delete(McpServerRow).where(McpServerRow.id == server_id))
    await session.execute(text("DELETE FROM mcp_check WHERE server_id = :id"), {"id": server_id})
