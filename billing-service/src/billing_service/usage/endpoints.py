"""GET /usage and /usage/events."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page, cursor, page_of

from billing_service.usage import repository, service
from billing_service.usage.models import UTC
from billing_service.usage.schemas import UsageEvent, UsageReport
from billing_service.usage.service import Whose

router = APIRouter(prefix="/api/v1/billing", tags=["usage"])

Reader = Annotated[Principal, Depends(require(Permission.USAGE_READ))]
Scope = Annotated[Whose, Query(description="`organisation` needs the permission usage:read_all")]


@router.get("/usage", summary="Usage and cost by day, model, user or key")
async def read_usage(
    principal: Reader,
    session: SessionDep,
    first: Annotated[
        date | None, Query(alias="from", description="first day; by default 30 days in all")
    ] = None,
    last: Annotated[
        date | None, Query(alias="to", description="last day, included; today by default")
    ] = None,
    tz: Annotated[
        str, Query(max_length=64, description="time zone whose days are meant, such as Europe/Berlin")
    ] = UTC,
    group_by: Annotated[str | None, Query(max_length=40, description="some of day,model,user,key")] = None,
    scope: Scope = "own",
) -> UsageReport:
    return await service.report(
        session, principal, whose=scope, first=first, last=last, tz=tz, group_by=service.groupings(group_by)
    )


@router.get("/usage/events", summary="Single dispatches with their exact cost")
async def list_events(
    principal: Reader,
    session: SessionDep,
    request_id: Annotated[
        UUID | None, Query(description="the dispatch id, as in x-atrium-dispatch-id")
    ] = None,
    scope: Scope = "own",
    limit: Limit = 50,
    after: After = None,
) -> Page[UsageEvent]:
    events = await repository.events(
        session,
        principal.organisation_id,
        user_id=service.visible_user(principal, scope),
        dispatch_id=request_id,
        after_id=cursor(after),
        rows_max=limit + 1,
    )
    return page_of(events, limit=limit)
