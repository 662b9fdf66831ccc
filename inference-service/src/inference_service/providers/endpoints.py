"""GET /api/v1/inference/providers."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from shared.auth.guards import require
from shared.auth.permissions import Permission, Role
from shared.auth.principal import Principal

from inference_service.providers.discovery import Discovery, ProviderState
from inference_service.providers.schemas import ProviderList, ProviderView

Reader = Annotated[Principal, Depends(require(Permission.MODELS_READ))]

router = APIRouter(prefix="/api/v1/inference", tags=["providers"])


@router.get("/providers", summary="State of every configured provider")
async def list_providers(request: Request, principal: Reader) -> ProviderList:
    discovery = cast("Discovery", request.app.state.discovery)
    views = [_view(state, in_full=principal.role is Role.ADMIN) for state in discovery.states]
    return ProviderList(data=views, last_id=views[-1].id if views else None)


def _view(state: ProviderState, *, in_full: bool) -> ProviderView:
    readiness = state.readiness()
    return ProviderView(
        id=state.provider.id,
        kind=state.provider.kind,
        address=state.provider.address if in_full else None,
        status=readiness.status,
        detail=readiness.detail,
        operator_detail=state.operator_detail if in_full else None,
        models=len(state.models),
        checked_at=state.checked_at,
    )
