"""All SQL of budgets. Changes take the organisation's gate inside the database, so that they never race a
reserve.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.budgets.models import BudgetScope, BudgetWindow
from billing_service.budgets.schemas import Budget

_SELECT = """
    SELECT b.id, b.scope, b.scope_id, b."window", b.limit_nano, b.is_default, coalesce(w.spent_nano, 0) AS
    spent_nano, coalesce(w.held_nano, 0) AS held_nano, greatest(0, b.limit_nano - coalesce(w.spent_nano, 0) -
    coalesce(w.held_nano, 0)) AS remaining_nano, window_end(b."window", window_start(b."window", now())) AS
    resets_at, b.updated_at
    FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start =
    window_start(b."window", now())
    WHERE b.organisation_id = :organisation_id
"""
_LIST = text(
    _SELECT
    + (
        " AND (CAST(:scope AS text) IS NULL OR b.scope = :scope) AND (CAST(:scope_id AS uuid) IS NULL OR "
        "b.scope_id = :scope_id)"
    )
    + " AND (CAST(:after_id AS uuid) IS NULL OR b.id < :after_id) ORDER BY b.id DESC LIMIT :n"
)
_ONE = text(_SELECT + " AND b.id = :id")
_FIND = text(_SELECT + ' AND b.scope = :scope AND b.scope_id = :scope_id AND b."window" = :width')
_SET = text("SELECT (set_budget(:organisation_id, :scope, :scope_id, :width, :limit_nano, :is_default)).id")
_DELETE = text("DELETE FROM budget WHERE organisation_id = :organisation_id AND id = :id")
_OPEN = text("SELECT open_book(:organisation_id, :grant_nano)")


async def open_accounts(session: AsyncSession, organisation_id: UUID, *, grant_nano: int) -> None:
    """The gate a budget change waits at exists from here on."""
    await session.execute(_OPEN, {"organisation_id": organisation_id, "grant_nano": grant_nano})


async def list_budgets(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    scope: BudgetScope | None,
    scope_id: UUID | None,
    after_id: UUID | None,
    rows_max: int,
) -> list[Budget]:
    """Newest first."""
    names = {
        "organisation_id": organisation_id,
        "scope": scope,
        "scope_id": scope_id,
        "after_id": after_id,
        "n": rows_max,
    }
    return [Budget.model_validate(row, from_attributes=True) for row in await session.execute(_LIST, names)]


async def find(
    session: AsyncSession, organisation_id: UUID, *, scope: BudgetScope, scope_id: UUID, window: BudgetWindow
) -> Budget | None:
    names = {"organisation_id": organisation_id, "scope": scope, "scope_id": scope_id, "width": window}
    row = (await session.execute(_FIND, names)).one_or_none()
    return Budget.model_validate(row, from_attributes=True) if row else None


async def get(session: AsyncSession, organisation_id: UUID, budget_id: UUID) -> Budget | None:
    row = (await session.execute(_ONE, {"organisation_id": organisation_id, "id": budget_id})).one_or_none()
    return Budget.model_validate(row, from_attributes=True) if row else None


async def set_budget(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    scope: BudgetScope,
    scope_id: UUID,
    window: BudgetWindow,
    limit_nano: int,
    is_default: bool,
) -> UUID:
    """Create or change; returns the budget's id."""
    names = {
        "organisation_id": organisation_id,
        "scope": scope,
        "scope_id": scope_id,
        "width": window,
        "limit_nano": limit_nano,
        "is_default": is_default,
    }
    return (await session.execute(_SET, names)).scalar_one()


async def delete(session: AsyncSession, organisation_id: UUID, budget_id: UUID) -> None:
    """The budget and its windows; holds that counted on it end as usual."""
    await session.execute(_DELETE, {"organisation_id": organisation_id, "id": budget_id})
