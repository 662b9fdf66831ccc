"""GET and PUT /prices."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page, cursor, page_of

from billing_service.pricing import repository, service
from billing_service.pricing.schemas import Price, PriceChange

router = APIRouter(prefix="/api/v1/billing", tags=["prices"])


@router.get(
    "/prices", summary="Prices in force and planned", dependencies=[Depends(require(Permission.PRICES_READ))]
)
async def list_prices(
    session: SessionDep,
    model: Annotated[str | None, Query(max_length=200)] = None,
    history: Annotated[bool, Query(description="also the versions that have ended")] = False,
    limit: Limit = 100,
    after: After = None,
) -> Page[Price]:
    prices = await repository.list_prices(
        session, model=model, history=history, after_id=cursor(after), rows_max=limit + 1
    )
    return page_of(prices, limit=limit)


@router.put("/prices", summary="Set a model's price or mark it free")
async def set_price(
    change: PriceChange,
    principal: Annotated[Principal, Depends(require(Permission.PRICES_WRITE))],
    session: SessionDep,
) -> Price:
    return await service.set_price(session, principal, change)
