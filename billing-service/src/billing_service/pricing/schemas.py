"""Prices as the API takes and shows them."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from shared.money import decimal_str_to_nano

from billing_service.pricing.errors import PriceIncomplete
from billing_service.pricing.models import PRICE_MAX

NanoPerMtok = Annotated[int, Field(ge=0, le=PRICE_MAX, description="nano-USD per million tokens")]


def _usd_to_nano(value: object) -> object:
    """A decimal text or a number as nano-USD; anything else is left to the type."""
    if isinstance(value, bool):
        raise ValueError("must be an amount")
    if isinstance(value, str):
        return decimal_str_to_nano(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return decimal_str_to_nano(f"{Decimal(str(value)):f}")
    return value


# As providers write it in their price lists; held as nano-USD from here on.
UsdPerMtok = Annotated[
    int,
    BeforeValidator(_usd_to_nano, json_schema_input_type=str | float),
    Field(ge=0, le=PRICE_MAX, description='USD per million tokens, as a decimal text ("2.50") or a number'),
]
ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class PriceChange(BaseModel):
    """A new price of a model, each bucket in USD (`input`) or in nano-USD (`input_nano_per_mtok`) per million
    tokens.

    Buckets left out follow input (cache, audio in) or output (reasoning, audio out).
    """

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    input: UsdPerMtok | None = None
    output: UsdPerMtok | None = None
    cache_read: UsdPerMtok | None = None
    cache_write: UsdPerMtok | None = None
    audio_in: UsdPerMtok | None = None
    reasoning: UsdPerMtok | None = None
    audio_out: UsdPerMtok | None = None
    input_nano_per_mtok: NanoPerMtok | None = None
    output_nano_per_mtok: NanoPerMtok | None = None
    cache_read_nano_per_mtok: NanoPerMtok | None = None
    cache_write_nano_per_mtok: NanoPerMtok | None = None
    audio_in_nano_per_mtok: NanoPerMtok | None = None
    reasoning_nano_per_mtok: NanoPerMtok | None = None
    audio_out_nano_per_mtok: NanoPerMtok | None = None
    free: bool = False
    effective_from: AwareDatetime | None = Field(
        default=None, description="absent: from now on; never in the past"
    )

    def nano_per_mtok(self, bucket: str) -> int | None:
        """The price of one bucket, however it was written. Raises: PriceIncomplete when it was written both
        ways.
        """
        usd, nano = getattr(self, bucket), getattr(self, f"{bucket}_nano_per_mtok")
        if usd is not None and nano is not None:
            raise PriceIncomplete(f"send {bucket} (USD) or {bucket}_nano_per_mtok, not both")
        return nano if usd is None else usd


class Price(BaseModel):
    """One version; its `id` is the `price_version` that holds and usage events name."""

    id: UUID
    model: str
    free: bool
    input_nano_per_mtok: int
    output_nano_per_mtok: int
    cache_read_nano_per_mtok: int
    cache_write_nano_per_mtok: int
    audio_in_nano_per_mtok: int
    reasoning_nano_per_mtok: int
    audio_out_nano_per_mtok: int
    currency: Literal["USD"] = "USD"
    effective_from: datetime
    effective_to: datetime | None  # None: until a newer one begins
    source: Literal["seed", "admin"]
    created_by: UUID | None
    created_at: datetime
