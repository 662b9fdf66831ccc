"""GET, PUT and DELETE /budgets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page, cursor, page_of

from billing_service.budgets import repository, service
from billing_service.budgets.models import BudgetScope
from billing_service.budgets.schemas import Budget, BudgetChange
from billing_service.dependencies import SettingsDep

router = APIRouter(prefix="/api/v1/billing", tags=["budgets"])


@router.get("/budgets", summary="Budgets with their current windows")
async def list_budgets(
    principal: Annotated[Principal, Depends(require(Permission.BUDGETS_READ))],
    session: SessionDep,
    scope: Annotated[BudgetScope | None, Query()] = None,
    scope_id: Annotated[UUID | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Budget]:
    budgets = await repository.list_budgets(
        session,
        principal.organisation_id,
        scope=scope,
        scope_id=scope_id,
        after_id=cursor(after),
        rows_max=limit + 1,
    )
    return page_of(budgets, limit=limit)


@router.put("/budgets", summary="Set a hard budget")
async def set_budget(
    change: BudgetChange,
    principal: Annotated[Principal, Depends(require(Permission.BUDGETS_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
) -> Budget:
    return await service.set_budget(session, principal, change, grant_nano=settings.starting_grant_nano)


@router.delete("/budgets/{budget_id}", status_code=204, summary="Remove a budget")
async def delete_budget(
    budget_id: UUID,
    principal: Annotated[Principal, Depends(require(Permission.BUDGETS_WRITE))],
    session: SessionDep,
    settings: SettingsDep,
) -> None:
    await service.delete_budget(session, principal, budget_id, default_nano=settings.default_user_budget_nano)
