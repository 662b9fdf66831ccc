"""Rules of prices: they begin now or later, never overlap, and what was charged stays charged."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

from shared.auth.principal import Principal
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import service as audit
from billing_service.pricing import repository
from billing_service.pricing.errors import PriceAlreadyPlanned, PriceIncomplete, PriceInThePast
from billing_service.pricing.models import PriceAmounts
from billing_service.pricing.schemas import Price, PriceChange

# A caller's clock may trail the database's by this much; such a price begins now.
_CLOCK_TOLERANCE = timedelta(seconds=60)
_FREE = PriceAmounts(*[0] * 7)


_INPUTS = ("input", "cache_read", "cache_write", "audio_in")
_OUTPUTS = ("output", "reasoning", "audio_out")


def amounts_of(change: PriceChange) -> PriceAmounts:
    """Every bucket's price. Raises: PriceIncomplete."""
    prices = {bucket: change.nano_per_mtok(bucket) for bucket in (*_INPUTS, *_OUTPUTS)}
    if change.free:
        named = [bucket for bucket, price in prices.items() if price]
        if named:
            raise PriceIncomplete(
                f"a free model has no price; leave out {', '.join(named)} or send free: false"
            )
        return _FREE
    base_input, base_output = prices["input"], prices["output"]
    if base_input is None or base_output is None:
        raise PriceIncomplete("send input and output (USD per million tokens), or free: true")
    inputs = {f"{bucket}_nano_per_mtok": _or(prices[bucket], base_input) for bucket in _INPUTS}
    outputs = {f"{bucket}_nano_per_mtok": _or(prices[bucket], base_output) for bucket in _OUTPUTS}
    return PriceAmounts(**inputs, **outputs)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


async def set_price(session: AsyncSession, principal: Principal, change: PriceChange) -> Price:
    """Begin a new price version; the one in force until then ends where it begins.

    Raises:
        PriceInThePast, PriceIncomplete, PriceAlreadyPlanned.
    """
    amounts = amounts_of(change)
    now = await repository.lock_model(session, change.model)
    begin = change.effective_from or now
    if begin < now - _CLOCK_TOLERANCE:
        raise PriceInThePast(
            "effective_from lies in the past; charges already made keep their price, so leave it out or "
            "choose a later time"
        )
    begin = max(begin, now)
    before = await repository.price_at(session, change.model, begin)
    if before is not None and before.effective_from == begin:
        raise PriceAlreadyPlanned(
            f"a price of {change.model} already begins at {begin.isoformat()}; choose another time"
        )
    if before is not None:
        await repository.close(session, before.id, begin)
    after = await repository.insert(
        session,
        model=change.model,
        free=change.free,
        amounts=amounts,
        effective_from=begin,
        created_by=principal.user_id,
    )
    await audit.record(
        session,
        principal,
        "price.set",
        object_id=change.model,
        before=_recorded(before) if before else None,
        after=_recorded(after),
    )
    return after


def _recorded(price: Price) -> dict[str, Any]:
    values = price.model_dump(exclude={"currency"})
    amounts = {field.name: values.pop(field.name) for field in fields(PriceAmounts)}
    return {**values, "amounts": amounts}
