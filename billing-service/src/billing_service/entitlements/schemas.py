"""What GET /entitlements shows."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from shared.money import Money, MoneyOfNano

from billing_service.entitlements.models import Window


class WalletView(BaseModel):
    """`balance_nano` = `available_nano` + `held_nano`; running requests hold the latter."""

    id: UUID
    balance_nano: int
    held_nano: int
    available_nano: int
    balance: MoneyOfNano = Field(validation_alias="balance_nano")


class EntitledBudget(BaseModel):
    """A hard limit and what is left of it in its current window; `resets_at` is null for a total."""

    id: UUID
    scope: Literal["organisation", "team", "user", "key"]
    scope_id: UUID
    window: Window
    limit_nano: int
    spent_nano: int
    held_nano: int
    remaining_nano: int
    resets_at: datetime | None


class Entitlements(BaseModel):
    """What is left to the caller at each level; `remaining_nano` is the least of them all."""

    organisation_id: UUID
    currency: Literal["USD"] = "USD"
    remaining_nano: int
    remaining: Money
    wallet: WalletView
    budgets: list[EntitledBudget]
