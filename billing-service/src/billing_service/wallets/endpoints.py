"""GET /wallets and top-ups."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.money import Money
from shared.pagination import Page

from billing_service.dependencies import SettingsDep
from billing_service.wallets import service
from billing_service.wallets.schemas import TopUp, TopUpRequest, WalletBalance
from shared import idempotency

router = APIRouter(prefix="/api/v1/billing", tags=["wallets"])


@router.get("/wallets", summary="The organisation's wallets")
async def list_wallets(
    principal: Annotated[Principal, Depends(require(Permission.WALLETS_READ))], session: SessionDep, settings: SettingsDep
) -> Page[WalletBalance]:
    wallet = await service.wallet_of(session, principal.organisation_id, grant_nano=settings.starting_grant_nano)
    return Page(data=[WalletBalance.of(wallet)], last_id=str(wallet.id))


@router.post("/wallets/{wallet_id}/top-ups", status_code=201, response_model=TopUp, summary="Put paid credit into a wallet")
async def top_up(
    wallet_id: UUID,
    body: TopUpRequest,
    principal: Annotated[Principal, Depends(require(Permission.WALLETS_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
    key: idempotency.IdempotencyKey = None,
) -> Response:
    operation = idempotency.Operation(str(principal.user_id), "POST", f"/api/v1/billing/wallets/{wallet_id}/top-ups", key) if key else None
    if operation is not None:
        stored = await idempotency.begin(session, operation, body=body.model_dump_json().encode())
        if stored is not None:
            return Response(stored.body, status_code=stored.status, media_type="application/json")
    top_up_id, amount_nano, wallet = await service.top_up(
        session, principal, wallet_id, amount=body.amount, note=body.note, grant_nano=settings.starting_grant_nano
    )
    booked = TopUp(id=top_up_id, amount_nano=amount_nano, amount=Money.of_nano(amount_nano), wallet=WalletBalance.of(wallet))
    answer = booked.model_dump_json().encode()
    if operation is not None:
        await idempotency.finish(session, operation, status=201, body=answer)
    return Response(answer, status_code=201, media_type="application/json")
