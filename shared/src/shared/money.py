"""Integer nano-USD: the only form money takes inside the suite."""

from decimal import Decimal, InvalidOperation
from typing import Literal, Self

from pydantic import BaseModel

NANO = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000
_TEXT_LENGTH_MAX = 40


def ceil_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded towards plus infinity, exactly."""
    return -(-numerator // denominator)


def nano_to_decimal_str(amount_nano: int) -> str:
    """USD as an exact decimal with nine places, as in "0.001234567"."""
    sign = "-" if amount_nano < 0 else ""
    whole, fraction = divmod(abs(amount_nano), NANO)
    return f"{sign}{whole}.{fraction:09d}"


def decimal_str_to_nano(amount: str) -> int:
    """Nano-USD of a decimal text.

    Raises:
        ValueError: not a plain decimal number, or finer than one nano-USD.
    """
    if len(amount) > _TEXT_LENGTH_MAX:
        raise ValueError(f"amount is longer than {_TEXT_LENGTH_MAX} characters")
    try:
        value = Decimal(amount)
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is not a decimal number such as 10.00") from error
    if not value.is_finite() or abs(value.adjusted()) > _TEXT_LENGTH_MAX:
        raise ValueError(f"{amount!r} is not a finite amount")
    digits = value.as_tuple()
    exponent = int(digits.exponent) + 9
    unscaled = int("".join(map(str, digits.digits)) or "0")
    if exponent >= 0:
        nano = unscaled * 10**exponent
    else:
        nano, rest = divmod(unscaled, 10**-exponent)
        if rest:
            raise ValueError(f"{amount!r} is finer than one nano-USD (nine decimals)")
    return -nano if digits.sign else nano


class Money(BaseModel):
    """An amount as the API shows it."""

    amount: str
    currency: Literal["USD"] = "USD"

    @classmethod
    def of_nano(cls, amount_nano: int) -> Self:
        return cls(amount=nano_to_decimal_str(amount_nano))
