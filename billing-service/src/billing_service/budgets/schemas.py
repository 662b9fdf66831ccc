"""Budgets as the API takes and shows them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.money import Money

from billing_service.budgets.models import BudgetRow, BudgetScope, BudgetWindow


class BudgetChange(BaseModel):
    """Set the hard limit of one scope in one kind of window; there is one budget for each such pair."""

    model_config = ConfigDict(extra="forbid")

    scope: BudgetScope
    scope_id: UUID
    window: BudgetWindow
    limit: str = Field(max_length=40, description='USD as a decimal text, such as "5.00"; "0" stops all paid use')


class Budget(BaseModel):
    """`resets_at` is when the window ends (UTC); null for a total."""

    id: UUID
    scope: BudgetScope
    scope_id: UUID
    window: BudgetWindow
    limit_nano: int
    limit: Money
    is_default: bool
    spent_nano: int
    held_nano: int
    remaining_nano: int
    resets_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, row: BudgetRow) -> Self:
        return cls(
            id=row.id,
            scope=row.scope,
            scope_id=row.scope_id,
            window=row.window,
            limit_nano=row.limit_nano,
            limit=Money.of_nano(row.limit_nano),
            is_default=row.is_default,
            spent_nano=row.spent_nano,
            held_nano=row.held_nano,
            remaining_nano=max(0, row.limit_nano - row.spent_nano - row.held_nano),
            resets_at=row.resets_at,
            updated_at=row.updated_at,
        )
