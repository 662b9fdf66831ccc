"""GET /audit: the history of prices, budgets and wallets, for people and for the gateway's audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require, require_service
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.audit import AuditRecorded
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page, cursor, page_of

from billing_service.audit import repository
from billing_service.audit.schemas import AuditEntry

router = APIRouter(prefix="/api/v1/billing", tags=["audit"])
internal_router = APIRouter(prefix="/internal/v1", tags=["internal"])


@router.get("/audit", summary="Changes of prices, budgets and wallets")
async def list_audit(
    principal: Annotated[Principal, Depends(require(Permission.AUDIT_READ))],
    session: SessionDep,
    limit: Limit = 50,
    after: After = None,
) -> Page[AuditEntry]:
    entries = await repository.newest(
        session, principal.organisation_id, after_id=cursor(after), rows_max=limit + 1
    )
    return page_of(entries, limit=limit)


@internal_router.get(
    "/audit",
    summary="Changes in all organisations, the oldest first",
    dependencies=[Depends(require_service("gateway"))],
)
async def list_recorded(session: SessionDep, limit: Limit = 50, after: After = None) -> Page[AuditRecorded]:
    return page_of(await repository.oldest(session, after_id=cursor(after), rows_max=limit + 1), limit=limit)
