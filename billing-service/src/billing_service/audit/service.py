"""Writes the audit trail in the caller's transaction and reads it back."""

from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import repository
from billing_service.audit.models import AuditAction, AuditRow


async def record(
    session: AsyncSession,
    principal: Principal,
    action: AuditAction,
    *,
    object_id: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Note a change; it is kept exactly when the change is."""
    await repository.insert(
        session,
        organisation_id=principal.organisation_id,
        actor_id=principal.user_id,
        action=action,
        object_id=object_id,
        before=before,
        after=after,
    )


async def newest(session: AsyncSession, organisation_id: UUID, *, after_id: UUID | None, rows_max: int) -> list[AuditRow]:
    """Changes of one organisation, newest first."""
    return await repository.newest(session, organisation_id, after_id=after_id, rows_max=rows_max)
