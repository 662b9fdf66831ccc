"""The settings, as endpoints of every feature ask for them."""

from typing import Annotated, cast

from fastapi import Depends, Request

from billing_service.settings import BillingSettings


async def settings_of(request: Request) -> BillingSettings:
    return cast("BillingSettings", request.app.state.settings)


SettingsDep = Annotated[BillingSettings, Depends(settings_of)]
