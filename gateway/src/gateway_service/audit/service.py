"""Recording administrative acts, in the transaction of the act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.ids import uuid7
from shared.pagination import Page, page_of
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.audit import repository
from gateway_service.audit.models import AuditEntry
from gateway_service.audit.schemas import AuditInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What was done, e.g. action "user.role_changed" on target_type "user"."""

    action: str
    target_type: str
    target_id: UUID
    detail: Mapping[str, Any]


async def record(db: AsyncSession, act: Act, *, organisation_id: UUID, actor: Principal | None) -> None:
    """Adds the act to the caller's transaction. `actor` None: the operator at the command line."""
    entry = AuditEntry(
        id=uuid7(),
        service="gateway",
        organisation_id=organisation_id,
        actor_id=None if actor is None else actor.user_id,
        actor_key_id=None if actor is None else actor.key_id,
        action=act.action,
        target_type=act.target_type,
        target_id=act.target_id,
        detail=dict(act.detail),
        created_at=utc_now(),
    )
    await repository.add(db, entry)


async def page(db: AsyncSession, organisation_id: UUID, *, after: UUID | None, limit: int) -> Page[AuditInfo]:
    """Acts in this organisation, newest first."""
    entries = await repository.page(db, organisation_id, after=after, limit=limit + 1)
    return page_of([AuditInfo.model_validate(entry, from_attributes=True) for entry in entries], limit=limit)
