"""Turns a refused reservation into the error a person can act on. Pure."""

from typing import Any
from uuid import UUID

from shared.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from shared.errors import AppError
from shared.money import nano_to_decimal_str

from billing_service.entitlements.errors import (
    BudgetExceeded,
    InsufficientCredits,
    ModelNotAllowed,
    PriceUnknown,
    RequestIdReused,
)
from billing_service.entitlements.models import ReserveResult

# openai-python retries 429 on its own unless told; a budget does not come back within seconds.
_NO_RETRY = {"x-should-retry": "false"}
_PRICES_PATH = "/api/v1/billing/prices"
_BUDGETS_PATH = "/api/v1/billing/budgets"


def usd(amount_nano: int) -> str:
    """An amount for a sentence: exact, without needless zeros, at least two decimals."""
    whole, _, fraction = nano_to_decimal_str(amount_nano).partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')} USD"


def may(role: str | None, permission: Permission) -> bool:
    """Whether somebody with this role holds `permission`; an unknown or absent role holds none."""
    return role in set(Role) and permission in ROLE_PERMISSIONS[Role(role)]


def _ask(label: str) -> dict[str, Any]:
    """What a person can do who may not change the limit."""
    return {"action": {"kind": "ask_admin", "label": label}}


def _change(label: str, *, method: str, path: str, page: str) -> dict[str, Any]:
    """The call and the page that change the limit, for those who may."""
    return {
        "action": {"kind": "change_limit", "label": label, "method": method, "path": path},
        "upgrade_url": page,
    }


def _extras(result: ReserveResult, offer: dict[str, Any]) -> dict[str, Any]:
    return {
        "scope": result.scope,
        "scope_id": result.scope_id,
        "limit_nano": result.limit_nano,
        "spent_nano": result.spent_nano,
        "held_nano": result.held_nano,
        "remaining_nano": result.remaining_nano,
        "required_nano": result.amount_nano,
        "resets_at": result.resets_at,
        **offer,
    }


def refusal(
    result: ReserveResult, *, model: str, dispatch_id: UUID, public_url: str, role: str | None
) -> AppError:
    """The error for an outcome that is not `held`. It offers what somebody with this role can do, and nothing
    else.
    """
    if result.outcome == "price_unknown":
        return price_unknown(model, public_url=public_url, role=role)
    if result.outcome == "insufficient_credits":
        return _insufficient_credits(result, public_url=public_url, role=role)
    if result.outcome == "budget_exceeded":
        return _budget_exceeded(result, public_url=public_url, role=role)
    return RequestIdReused(
        f"request_id {dispatch_id} was used by another reservation; make a new one for each dispatch"
    )


def price_unknown(model: str, *, public_url: str, role: str | None) -> PriceUnknown:
    """Nobody has said what the model costs, so nobody may use it unmetered."""
    extra = {"scope": "model", "model": model}
    if not may(role, Permission.PRICES_WRITE):
        return PriceUnknown(
            f"the model {model} has no price yet; ask an administrator to set one, or choose another model",
            extra={**extra, **_ask("Ask an administrator for a price")},
            headers=_NO_RETRY,
        )
    return PriceUnknown(
        f"the model {model} has no price yet; set one with PUT {_PRICES_PATH} "
        f'{{"model": "{model}", "input": "0.50", "output": "1.50"}} (USD per million tokens) or mark it '
        f'free with {{"free": true}}',
        extra={
            **extra,
            **_change(
                "Set a price or mark it free",
                method="PUT",
                path=_PRICES_PATH,
                page=f"{public_url}/admin/prices",
            ),
        },
        headers=_NO_RETRY,
    )


def _insufficient_credits(result: ReserveResult, *, public_url: str, role: str | None) -> InsufficientCredits:
    available = result.remaining_nano or 0
    offer, do = _ask("Ask an administrator to top up the wallet"), "ask an administrator to top it up"
    if may(role, Permission.WALLETS_WRITE):
        path = f"/api/v1/billing/wallets/{result.scope_id}/top-ups"
        offer, do = (
            _change("Top up the wallet", method="POST", path=path, page=f"{public_url}/admin/wallet"),
            "top it up",
        )
    return InsufficientCredits(
        f"the wallet holds {usd(available)} and this request needs at least {usd(result.amount_nano or 0)}; "
        f"{do}, shorten the request or choose a cheaper model",
        extra=_extras(result, offer),
        headers=_NO_RETRY,
    )


def _budget_exceeded(result: ReserveResult, *, public_url: str, role: str | None) -> BudgetExceeded:
    resets = (
        f"it resets at {result.resets_at:%Y-%m-%d %H:%M} UTC"
        if result.resets_at
        else "it does not reset by itself"
    )
    offer, do = _ask("Ask an administrator for a higher budget"), "ask an administrator for a higher budget"
    if may(role, Permission.BUDGETS_WRITE):
        page = f"{public_url}/admin/wallet#budgets"
        offer, do = _change("Raise the budget", method="PUT", path=_BUDGETS_PATH, page=page), "raise it"
    return BudgetExceeded(
        f"the budget of this {result.scope} is {usd(result.limit_nano or 0)}: {usd(result.spent_nano or 0)} "
        "are spent, "
        f"{usd(result.held_nano or 0)} are held by running requests, and this one needs at least "
        f"{usd(result.amount_nano or 0)}; "
        f"{resets}; {do} or choose a cheaper model",
        extra=_extras(result, offer),
        headers=_NO_RETRY,
    )


def model_not_allowed(model: str, allowed: list[str]) -> ModelNotAllowed:
    """The team or key names the models it may use, and this is none of them."""
    shown = ", ".join(allowed[:10])
    return ModelNotAllowed(
        f"{model} is not among the models this key or team may use ({shown}); choose one of them or ask an "
        "administrator",
        extra={
            "scope": "model",
            "model": model,
            "action": {
                "kind": "choose_model",
                "label": "Choose another model",
                "method": "GET",
                "path": "/api/v1/inference/models",
            },
        },
        headers=_NO_RETRY,
    )
