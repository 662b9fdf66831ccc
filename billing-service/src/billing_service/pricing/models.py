"""A price version: nano-USD per million tokens of each bucket, over a range of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

PRICE_MAX = 1_000_000_000_000_000  # a million USD per million tokens; keeps every product inside NUMERIC's comfort and typos out


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


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """`effective_to` None: until a newer price begins."""

    id: UUID
    model: str
    free: bool
    amounts: PriceAmounts
    effective_from: datetime
    effective_to: datetime | None
    source: Literal["seed", "admin"]
    created_by: UUID | None
    created_at: datetime
