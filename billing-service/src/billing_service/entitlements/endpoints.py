"""GET /entitlements: what is left to the caller."""

from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.money import Money

from billing_service.entitlements.dependencies import EntitlementsDep
from billing_service.entitlements.schemas import Entitlements

router = APIRouter(prefix="/api/v1/billing", tags=["entitlements"])


@router.get("/entitlements", summary="What is left at each level")
async def read_entitlements(
    principal: Annotated[Principal, Depends(require(Permission.USAGE_READ))], entitlements: EntitlementsDep
) -> Entitlements:
    wallet, budgets = await entitlements.entitlements(principal)
    remaining_nano = min([wallet.available_nano, *(budget.remaining_nano for budget in budgets)])
    return Entitlements(
        organisation_id=principal.organisation_id,
        remaining_nano=remaining_nano,
        remaining=Money.of_nano(remaining_nano),
        wallet=wallet,
        budgets=budgets,
    )
