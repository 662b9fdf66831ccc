"""What endpoints ask for by type."""

from typing import Annotated, cast

from fastapi import Depends, Request

from billing_service.entitlements.service import EntitlementService
from billing_service.settings import BillingSettings


async def entitlement_service(request: Request) -> EntitlementService:
    return cast("EntitlementService", request.app.state.entitlements)


async def settings_of(request: Request) -> BillingSettings:
    return cast("BillingSettings", request.app.state.settings)


EntitlementsDep = Annotated[EntitlementService, Depends(entitlement_service)]
SettingsDep = Annotated[BillingSettings, Depends(settings_of)]
