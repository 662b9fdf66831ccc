"""Integer nano-USD: the only form money takes inside the suite."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator

NANO = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000
_DECIMALS = 9
_TEXT_LENGTH_MAX = 40
# Digits of ASCII only, and no exponent, underscore or blank: an amount is what everybody reads in it.
_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


def ceil_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded towards plus infinity, exactly."""
    return -(-numerator // denominator)


def nano_to_decimal_str(amount_nano: int) -> str:
    """USD as an exact decimal with nine places, as in "0.001234567"."""
    sign = "-" if amount_nano < 0 else ""
    whole, fraction = divmod(abs(amount_nano), NANO)
    return f"{sign}{whole}.{fraction:09d}"


def decimal_str_to_nano(amount: str) -> int:
    """Nano-USD of a decimal text such as "10.00".

    Raises:
        ValueError: not a plain decimal number, or finer than one nano-USD.
    """
    if len(amount) > _TEXT_LENGTH_MAX:
        raise ValueError(f"amount is longer than {_TEXT_LENGTH_MAX} characters")
    found = _AMOUNT.fullmatch(amount)
    if found is None:
        raise ValueError(f"{amount!r} is not a decimal number such as 10.00")
    sign, whole, fraction = found[1], found[2], (found[3] or "").rstrip("0")
    if len(fraction) > _DECIMALS:
        raise ValueError(f"{amount!r} is finer than one nano-USD (nine decimals)")
    nano = int(whole) * NANO + int(fraction.ljust(_DECIMALS, "0"))
    return -nano if sign else nano


class Money(BaseModel):
    """An amount as the API shows it."""

    amount: str
    currency: Literal["USD"] = "USD"

    @classmethod
    def of_nano(cls, amount_nano: int) -> Self:
        return cls(amount=nano_to_decimal_str(amount_nano))


MoneyOfNano = Annotated[Money, BeforeValidator(Money.of_nano)]
"""Money that is read from a row's nano-USD: `amount: MoneyOfNano = Field(validation_alias="amount_nano")`."""
