"""What a budget limits."""

from typing import Literal

BudgetScope = Literal["organisation", "team", "user", "key"]
BudgetWindow = Literal["hour", "day", "week", "month", "total"]
