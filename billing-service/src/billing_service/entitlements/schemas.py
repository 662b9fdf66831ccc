"""What GET /entitlements shows."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel
from shared.money import Money

from billing_service.entitlements.models import BudgetState, Wallet, Window


class WalletView(BaseModel):
    """`balance_nano` = `available_nano` + `held_nano`; running requests hold the latter."""

    id: UUID
    balance_nano: int
    held_nano: int
    available_nano: int
    balance: Money

    @classmethod
    def of(cls, wallet: Wallet) -> Self:
        balance_nano = wallet.available_nano + wallet.held_nano
        return cls(
            id=wallet.id,
            balance_nano=balance_nano,
            held_nano=wallet.held_nano,
            available_nano=wallet.available_nano,
            balance=Money.of_nano(balance_nano),
        )


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

    @classmethod
    def of(cls, budget: BudgetState) -> Self:
        return cls(
            id=budget.id,
            scope=budget.scope,
            scope_id=budget.scope_id,
            window=budget.window,
            limit_nano=budget.limit_nano,
            spent_nano=budget.spent_nano,
            held_nano=budget.held_nano,
            remaining_nano=max(0, budget.limit_nano - budget.spent_nano - budget.held_nano),
            resets_at=budget.resets_at,
        )


class Entitlements(BaseModel):
    """What is left to the caller at each level; `remaining_nano` is the least of them all."""

    organisation_id: UUID
    currency: Literal["USD"] = "USD"
    remaining_nano: int
    remaining: Money
    wallet: WalletView
    budgets: list[EntitledBudget]
