"""All SQL about the audit log."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.audit.models import AuditEntry


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
