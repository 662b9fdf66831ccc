"""Writes the audit trail in the caller's transaction."""

from typing import Any

from shared.auth.principal import Principal
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import repository
from billing_service.audit.models import AuditAction


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
