"""GET /wallets and top-ups."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Once
from shared.pagination import Page

from billing_service.dependencies import SettingsDep
from billing_service.wallets import service
from billing_service.wallets.schemas import TopUp, TopUpRequest, WalletBalance

router = APIRouter(prefix="/api/v1/billing", tags=["wallets"])


@router.get("/wallets", summary="The organisation's wallets")
async def list_wallets(
    principal: Annotated[Principal, Depends(require(Permission.WALLETS_READ))],
    session: SessionDep,
    settings: SettingsDep,
) -> Page[WalletBalance]:
    wallet = await service.wallet_of(
        session, principal.organisation_id, grant_nano=settings.starting_grant_nano
    )
    return Page(data=[wallet], last_id=str(wallet.id))


@router.post(
    "/wallets/{wallet_id}/top-ups",
    status_code=201,
    response_model=TopUp,
    summary="Put paid credit into a wallet",
)
async def top_up(
    wallet_id: UUID,
    body: TopUpRequest,
    principal: Annotated[Principal, Depends(require(Permission.WALLETS_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
    key: IdempotencyKey = None,
) -> Response:
    once = Once(
        session,
        key,
        principal=principal.user_id,
        route=f"/api/v1/billing/wallets/{wallet_id}/top-ups",
        body=body,
    )
    if first := await once.first():
        return first
    return await once.answer(
        await service.top_up(
            session,
            principal,
            wallet_id,
            amount=body.amount,
            note=body.note,
            grant_nano=settings.starting_grant_nano,
        )
    )
