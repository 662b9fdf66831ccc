"""Usage recorded by hand, live figures, and the synchronisation with OpenRouter."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Once

from billing_service.dependencies import SettingsDep
from billing_service.tracking import repository, service
from billing_service.tracking.errors import SyncOff
from billing_service.tracking.schemas import (
    ManualRecord,
    RealTimeUsage,
    RecordedExternally,
    SyncRequest,
    SyncStatus,
)

router = APIRouter(prefix="/api/v1/usage-tracking", tags=["usage tracking"])

_MANUAL = "/api/v1/usage-tracking/usage/manual-record"
Recorder = Annotated[Principal, Depends(require(Permission.WALLETS_WRITE))]
Reader = Annotated[Principal, Depends(require(Permission.USAGE_READ_ALL))]


@router.post(
    "/usage/manual-record",
    status_code=201,
    response_model=RecordedExternally,
    summary="Record usage that happened elsewhere",
)
async def record_manually(
    body: ManualRecord,
    principal: Recorder,
    session: SessionDep,
    settings: SettingsDep,
    key: IdempotencyKey = None,
) -> Response:
    """A transaction id that is known answers 200 with the first record."""
    once = Once(session, key, principal=principal.user_id, route=_MANUAL, body=body)
    if first := await once.first():
        return first
    usage, new = await service.record_manually(
        session, principal, body, grant_nano=settings.starting_grant_nano
    )
    recorded = RecordedExternally.model_validate(usage, from_attributes=True)
    return await once.answer(recorded, status=201 if new else 200)


@router.get("/usage/real-time/{client_org_id}", summary="What an organisation used today and this month")
async def real_time(client_org_id: UUID, principal: Reader, session: SessionDep) -> RealTimeUsage:
    return await service.real_time(session, principal, client_org_id)


@router.post("/sync/openrouter-usage", status_code=202, summary="Compare with OpenRouter's own figures now")
async def sync_now(
    principal: Recorder, session: SessionDep, settings: SettingsDep, body: SyncRequest | None = None
) -> SyncStatus:
    """The run is in the background; GET /sync/status says how far it is."""
    if not settings.syncs_openrouter:
        raise SyncOff(
            "OPENROUTER_API_KEY is not set, so there is nothing to ask; set it and restart the "
            "billing-service"
        )
    days_back = (body.days_back if body else None) or settings.openrouter_usage_sync_days_back
    await repository.request_sync(session, days_back=days_back)
    return await repository.sync_status(session, enabled=True)


@router.get("/sync/status", summary="What the synchronisation with OpenRouter did last")
async def sync_status(principal: Reader, session: SessionDep, settings: SettingsDep) -> SyncStatus:
    return await repository.sync_status(session, enabled=settings.syncs_openrouter)
