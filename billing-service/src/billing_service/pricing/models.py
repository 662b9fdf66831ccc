"""Nano-USD per million tokens of each bucket."""

from dataclasses import dataclass

# A million USD per million tokens; keeps every product inside NUMERIC's comfort and typos out.
PRICE_MAX = 1_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class PriceAmounts:
    """Every bucket has a price; what was not said follows its side's base price."""

    input_nano_per_mtok: int
    cache_read_nano_per_mtok: int
    cache_write_nano_per_mtok: int
    audio_in_nano_per_mtok: int
    output_nano_per_mtok: int
    reasoning_nano_per_mtok: int
    audio_out_nano_per_mtok: int
