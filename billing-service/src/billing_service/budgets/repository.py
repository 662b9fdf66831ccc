"""All SQL of budgets. Changes take the organisation's gate inside the database, so that they never race a reserve."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.budgets.models import BudgetRow, BudgetScope, BudgetWindow

_SELECT = """
    SELECT b.id, b.scope, b.scope_id, b."window" AS width, b.limit_nano, b.is_default, coalesce(w.spent_nano, 0) AS spent_nano,
           coalesce(w.held_nano, 0) AS held_nano, window_end(b."window", window_start(b."window", now())) AS resets_at, b.updated_at
    FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = window_start(b."window", now())
    WHERE b.organisation_id = :organisation_id
"""
_LIST = text(
    _SELECT
    + " AND (CAST(:scope AS text) IS NULL OR b.scope = :scope) AND (CAST(:scope_id AS uuid) IS NULL OR b.scope_id = :scope_id)"
    + " AND (CAST(:after_id AS uuid) IS NULL OR b.id < :after_id) ORDER BY b.id DESC LIMIT :n"
)
_ONE = text(_SELECT + " AND b.id = :id")
_FIND = text(_SELECT + ' AND b.scope = :scope AND b.scope_id = :scope_id AND b."window" = :width')
_SET = text("SELECT (set_budget(:organisation_id, :scope, :scope_id, :width, :limit_nano, :is_default)).id")
_DELETE = text("DELETE FROM budget WHERE organisation_id = :organisation_id AND id = :id")
_OPEN = text("SELECT open_book(:organisation_id, :grant_nano)")


async def open_book(session: AsyncSession, organisation_id: UUID, *, grant_nano: int) -> None:
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
) -> list[BudgetRow]:
    """Newest first."""
    names = {"organisation_id": organisation_id, "scope": scope, "scope_id": scope_id, "after_id": after_id, "n": rows_max}
    return [_budget(row) for row in await session.execute(_LIST, names)]


async def find(
    session: AsyncSession, organisation_id: UUID, *, scope: BudgetScope, scope_id: UUID, window: BudgetWindow
) -> BudgetRow | None:
    names = {"organisation_id": organisation_id, "scope": scope, "scope_id": scope_id, "width": window}
    row = (await session.execute(_FIND, names)).one_or_none()
    return _budget(row) if row else None


async def get(session: AsyncSession, organisation_id: UUID, budget_id: UUID) -> BudgetRow | None:
    row = (await session.execute(_ONE, {"organisation_id": organisation_id, "id": budget_id})).one_or_none()
    return _budget(row) if row else None


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


def _budget(row: Row[Any]) -> BudgetRow:
    return BudgetRow(
        id=row.id,
        scope=row.scope,
        scope_id=row.scope_id,
        window=row.width,
        limit_nano=row.limit_nano,
        is_default=row.is_default,
        spent_nano=row.spent_nano,
        held_nano=row.held_nano,
        resets_at=row.resets_at,
        updated_at=row.updated_at,
    )
