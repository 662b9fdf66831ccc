"""Prices as the API takes and shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from billing_service.pricing.models import PRICE_MAX, PriceVersion

NanoPerMtok = Annotated[int, Field(ge=0, le=PRICE_MAX, description="nano-USD per million tokens")]


class PriceChange(BaseModel):
    """A new price of a model. Buckets left out follow input (cache, audio in) or output (reasoning, audio out)."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, max_length=200)
    input_nano_per_mtok: NanoPerMtok | None = None
    output_nano_per_mtok: NanoPerMtok | None = None
    cache_read_nano_per_mtok: NanoPerMtok | None = None
    cache_write_nano_per_mtok: NanoPerMtok | None = None
    audio_in_nano_per_mtok: NanoPerMtok | None = None
    reasoning_nano_per_mtok: NanoPerMtok | None = None
    audio_out_nano_per_mtok: NanoPerMtok | None = None
    free: bool = False
    effective_from: AwareDatetime | None = Field(default=None, description="absent: from now on; never in the past")


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
    effective_to: datetime | None
    source: Literal["seed", "admin"]
    created_by: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, version: PriceVersion) -> Self:
        return cls(
            id=version.id,
            model=version.model,
            free=version.free,
            effective_from=version.effective_from,
            effective_to=version.effective_to,
            source=version.source,
            created_by=version.created_by,
            created_at=version.created_at,
            **asdict(version.amounts),
        )
