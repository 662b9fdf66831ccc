"""Rules of budgets: hard limits of an organisation's own levels, each change audited."""

from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.money import NANO, decimal_str_to_nano
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import service as audit
from billing_service.budgets import repository
from billing_service.budgets.errors import BudgetIsDefault, BudgetUnknown, LimitNotUsable
from billing_service.budgets.schemas import Budget, BudgetChange

LIMIT_MAX_NANO = 1_000_000_000 * NANO


def usable_limit(limit: str) -> int:
    """Nano-USD of a limit. Raises: LimitNotUsable."""
    try:
        limit_nano = decimal_str_to_nano(limit)
    except ValueError as error:
        raise LimitNotUsable(f"limit: {error}") from None
    if not 0 <= limit_nano <= LIMIT_MAX_NANO:
        raise LimitNotUsable("limit must be at least 0 and at most 1000000000.00")
    return limit_nano


async def set_budget(
    session: AsyncSession, principal: Principal, change: BudgetChange, *, grant_nano: int
) -> Budget:
    """Create or change a budget. A limit below what is spent refuses new requests at once; running ones end
    as held.

    Raises: LimitNotUsable, BudgetUnknown (another organisation's).
    """
    limit_nano = usable_limit(change.limit)
    organisation_id = principal.organisation_id
    if change.scope == "organisation" and change.scope_id != organisation_id:
        raise BudgetUnknown("your organisation has no such scope; use your own organisation's id")
    await repository.open_accounts(session, organisation_id, grant_nano=grant_nano)
    before = await repository.find(
        session, organisation_id, scope=change.scope, scope_id=change.scope_id, window=change.window
    )
    budget_id = await repository.set_budget(
        session,
        organisation_id,
        scope=change.scope,
        scope_id=change.scope_id,
        window=change.window,
        limit_nano=limit_nano,
        is_default=False,
    )
    after = await _get(session, organisation_id, budget_id)
    await audit.record(
        session,
        principal,
        "budget.set",
        object_id=str(budget_id),
        before=_recorded(before) if before else None,
        after=_recorded(after),
    )
    return after


async def delete_budget(
    session: AsyncSession, principal: Principal, budget_id: UUID, *, default_nano: int | None
) -> None:
    """Remove a budget; a person's monthly one falls back to the default.

    Raises: BudgetUnknown, BudgetIsDefault.
    """
    organisation_id = principal.organisation_id
    before = await _get(session, organisation_id, budget_id)
    if before.is_default:
        raise BudgetIsDefault(
            "this budget is the installation's default for every person; set one of your own with PUT instead"
        )
    if before.scope == "user" and before.window == "month" and default_nano is not None:
        await repository.set_budget(
            session,
            organisation_id,
            scope=before.scope,
            scope_id=before.scope_id,
            window=before.window,
            limit_nano=default_nano,
            is_default=True,
        )
    else:
        await repository.delete(session, organisation_id, budget_id)
    await audit.record(
        session, principal, "budget.deleted", object_id=str(budget_id), before=_recorded(before)
    )


async def _get(session: AsyncSession, organisation_id: UUID, budget_id: UUID) -> Budget:
    found = await repository.get(session, organisation_id, budget_id)
    if found is None:
        raise BudgetUnknown(
            "your organisation has no budget with this id; GET /api/v1/billing/budgets lists them"
        )
    return found


def _recorded(budget: Budget) -> dict[str, Any]:
    return budget.model_dump(exclude={"limit", "remaining_nano"})
