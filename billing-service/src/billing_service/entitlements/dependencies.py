"""What endpoints ask for by type."""

from typing import Annotated, cast

from fastapi import Depends, Request

from billing_service.entitlements.service import EntitlementService


async def entitlement_service(request: Request) -> EntitlementService:
    return cast("EntitlementService", request.app.state.entitlements)


EntitlementsDep = Annotated[EntitlementService, Depends(entitlement_service)]
