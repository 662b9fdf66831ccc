"""Budgets as the API takes and shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.money import MoneyOfNano

from billing_service.budgets.models import BudgetScope, BudgetWindow


class BudgetChange(BaseModel):
    """Set the hard limit of one scope in one kind of window; there is one budget for each such pair."""

    model_config = ConfigDict(extra="forbid")

    scope: BudgetScope
    scope_id: UUID
    window: BudgetWindow
    limit: str = Field(
        max_length=40, description='USD as a decimal text, such as "5.00"; "0" stops all paid use'
    )


class Budget(BaseModel):
    """`resets_at` is when the window ends (UTC); null for a total."""

    id: UUID
    scope: BudgetScope
    scope_id: UUID
    window: BudgetWindow
    limit_nano: int
    limit: MoneyOfNano = Field(validation_alias="limit_nano")
    is_default: bool  # nobody set it, DEFAULT_USER_BUDGET did
    spent_nano: int
    held_nano: int
    remaining_nano: int
    resets_at: datetime | None
    updated_at: datetime
