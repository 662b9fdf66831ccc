"""GET /api/v1/inference/providers."""

from typing import cast

from fastapi import APIRouter, Depends, Request
from shared.auth import Permission, require

from inference_service.providers.discovery import Discovery, ProviderState
from inference_service.providers.schemas import ProviderList, ProviderView

router = APIRouter(prefix="/api/v1/inference", tags=["providers"])


@router.get("/providers", dependencies=[Depends(require(Permission.MODELS_READ))], summary="State of every configured provider")
async def list_providers(request: Request) -> ProviderList:
    discovery = cast("Discovery", request.app.state.discovery)
    views = [_view(state) for state in discovery.states]
    return ProviderList(data=views, last_id=views[-1].id if views else None)


def _view(state: ProviderState) -> ProviderView:
    readiness = state.readiness()
    return ProviderView(
        id=state.provider.id,
        kind=state.provider.kind,
        address=state.provider.address,
        status=readiness.status,
        detail=readiness.detail,
        models=len(state.models),
        checked_at=state.checked_at,
    )
