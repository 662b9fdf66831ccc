"""Money is exact in both directions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.money import Money, ceil_div, decimal_str_to_nano, nano_to_decimal_str

AMOUNTS = st.integers(min_value=-(10**18), max_value=10**18)


@given(AMOUNTS)
def test_text_and_nano_round_trip(amount_nano: int) -> None:
    assert decimal_str_to_nano(nano_to_decimal_str(amount_nano)) == amount_nano


@given(AMOUNTS)
def test_the_text_is_the_exact_decimal(amount_nano: int) -> None:
    assert Decimal(nano_to_decimal_str(amount_nano)) == Decimal(amount_nano) / 10**9


@given(st.integers(min_value=0, max_value=10**24), st.integers(min_value=1, max_value=10**9))
def test_ceil_div_never_charges_less_and_never_a_whole_unit_more(numerator: int, denominator: int) -> None:
    result = ceil_div(numerator, denominator)
    assert 0 <= result * denominator - numerator < denominator


@pytest.mark.parametrize("text", ["", "abc", "1e999999", "NaN", "Infinity", "0.0000000001", "1" * 50, "--1"])
def test_what_is_not_an_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decimal_str_to_nano(text)


def test_money_carries_nine_places() -> None:
    assert Money.of_nano(1_234_567).model_dump() == {"amount": "0.001234567", "currency": "USD"}
