"""All SQL about the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.audit.models import AuditEntry

# An act of an organisation that is not here is passed over: nobody could read it.
_ADD_RECORDED_SQL = text("""
INSERT INTO audit_log
    (id, service, organisation_id, actor_id, action, target_type, target_id, detail, created_at)
SELECT r.id, :service, o.id, r.actor_id, r.action, r.target_type, r.target_id, r.detail, r.created_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
    id uuid, organisation_id uuid, actor_id uuid, action text, target_type text, target_id uuid,
    detail jsonb, created_at timestamptz)
JOIN organisation o ON o.id = r.organisation_id
ON CONFLICT (id) DO NOTHING
""")


async def add(db: AsyncSession, entry: AuditEntry) -> None:
    db.add(entry)
    await db.flush()


async def page(
    db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int
) -> list[AuditEntry]:
    """Newest first; ids are UUIDv7, so their order is the order of the acts."""
    statement = select(AuditEntry).where(AuditEntry.organisation_id == organisation_id)
    if after is not None:
        statement = statement.where(AuditEntry.id < after)
    return list(await db.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit)))


async def newest_of(db: AsyncSession, service: str) -> UUID | None:
    """The id of the newest act that is known of a service."""
    statement = (
        select(AuditEntry.id).where(AuditEntry.service == service).order_by(AuditEntry.id.desc()).limit(1)
    )
    return await db.scalar(statement)


async def add_recorded(db: AsyncSession, service: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Acts that `service` recorded; one that is known changes nothing."""
    await db.execute(_ADD_RECORDED_SQL, {"service": service, "rows": orjson.dumps(rows).decode()})
