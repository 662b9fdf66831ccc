"""GET /audit: the history of prices, budgets and wallets."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page

from billing_service.audit import service
from billing_service.audit.schemas import AuditEntry
from billing_service.paging import cursor, page_of

router = APIRouter(prefix="/api/v1/billing", tags=["audit"])


@router.get("/audit", summary="Changes of prices, budgets and wallets")
async def list_audit(
    principal: Annotated[Principal, Depends(require(Permission.AUDIT_READ))], session: SessionDep, limit: Limit = 50, after: After = None
) -> Page[AuditEntry]:
    rows = await service.newest(session, principal.organisation_id, after_id=cursor(after), rows_max=limit + 1)
    return page_of(rows, [AuditEntry(**asdict(row)) for row in rows], limit=limit)
