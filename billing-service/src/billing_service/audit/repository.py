"""All SQL of the audit trail."""

from typing import Any
from uuid import UUID

import orjson
from shared.contracts.audit import AuditRecorded
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit.models import AuditAction
from billing_service.audit.schemas import AuditEntry

_INSERT = text(
    "INSERT INTO audit (organisation_id, actor_id, action, object_id, before, after)"
    " VALUES (:organisation_id, :actor_id, :action, :object_id, CAST(:before AS jsonb), CAST(:after AS "
    "jsonb))"
)
_LIST = text(
    "SELECT id, at, actor_id, action, object_id, before::text AS before, after::text AS after FROM audit"
    " WHERE organisation_id = :organisation_id AND (CAST(:after_id AS uuid) IS NULL OR id < :after_id) "
    "ORDER BY id DESC LIMIT :n"
)

_RECORDED = text(
    "SELECT id, organisation_id, actor_id, action, object_id AS subject, before, after, at FROM audit"
    " WHERE organisation_id IS NOT NULL AND (CAST(:after_id AS uuid) IS NULL OR id > :after_id)"
    " ORDER BY id LIMIT :n"
).columns(before=JSONB, after=JSONB)


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


async def insert(
    session: AsyncSession,
    *,
    organisation_id: UUID,
    actor_id: UUID | None,
    action: AuditAction,
    object_id: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    await session.execute(
        _INSERT,
        {
            "organisation_id": organisation_id,
            "actor_id": actor_id,
            "action": action,
            "object_id": object_id,
            "before": _json(before),
            "after": _json(after),
        },
    )


async def newest(
    session: AsyncSession, organisation_id: UUID, *, after_id: UUID | None, rows_max: int
) -> list[AuditEntry]:
    """Newest first, older than `after_id`."""
    rows = await session.execute(
        _LIST, {"organisation_id": organisation_id, "after_id": after_id, "n": rows_max}
    )
    return [AuditEntry.model_validate(row, from_attributes=True) for row in rows]


async def oldest(session: AsyncSession, *, after_id: UUID | None, rows_max: int) -> list[AuditRecorded]:
    """Of all organisations, oldest first, newer than `after_id`."""
    rows = await session.execute(_RECORDED, {"after_id": after_id, "n": rows_max})
    return [AuditRecorded.model_validate(row, from_attributes=True) for row in rows]
