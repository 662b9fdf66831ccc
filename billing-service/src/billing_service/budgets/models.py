"""A hard budget and its current window."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

BudgetScope = Literal["organisation", "team", "user", "key"]
BudgetWindow = Literal["hour", "day", "week", "month", "total"]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """`is_default`: nobody set it, DEFAULT_USER_BUDGET did."""

    id: UUID
    scope: BudgetScope
    scope_id: UUID
    window: BudgetWindow
    limit_nano: int
    is_default: bool
    spent_nano: int
    held_nano: int
    resets_at: datetime | None
    updated_at: datetime
