"""GET /ledger/entries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page, cursor, page_of

from billing_service.ledger import repository
from billing_service.ledger.schemas import LedgerEntry

router = APIRouter(prefix="/api/v1/billing", tags=["ledger"])


@router.get("/ledger/entries", summary="Transfers of the double-entry ledger, newest first")
async def list_entries(
    principal: Annotated[Principal, Depends(require(Permission.LEDGER_READ))],
    session: SessionDep,
    transaction_id: Annotated[
        str | None, Query(max_length=200, description="a dispatch id, `grant:<org>` or `top_up:<id>`")
    ] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[LedgerEntry]:
    entries = await repository.entries(
        session,
        principal.organisation_id,
        transaction_id=transaction_id,
        after_id=cursor(after),
        rows_max=limit + 1,
    )
    return page_of(entries, limit=limit)
