"""Usage as the API shows it. The event carries the field names of the platform's usage contract."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer
from shared.money import MoneyOfNano, nano_to_decimal_str

# The contract says "number". A float prints the shortest text that reads back to it, so up to 15 significant
# digits (a million USD at nine decimals) the JSON text is the exact decimal of cost_nano. cost_nano beside it
# is always exact.
UsdNumberOfNano = Annotated[
    Decimal,
    BeforeValidator(lambda amount_nano: Decimal(nano_to_decimal_str(amount_nano))),
    PlainSerializer(float, return_type=float, when_used="json"),
]


class UsageTotal(BaseModel):
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    cost: MoneyOfNano = Field(validation_alias="cost_nano")


class UsageGroup(UsageTotal):
    """Sums of one group; what was not grouped by is null."""

    day: date | None = None
    model: str | None = None
    user_id: UUID | None = None
    key_id: UUID | None = None


class UsageReport(BaseModel):
    """Sums of whole days of the asked time zone, `from` and `to` included."""

    object: Literal["list"] = "list"
    data: list[UsageGroup]
    total: UsageTotal


class UsageEvent(BaseModel):
    """One dispatch to a provider. `customer_id` is the organisation, `tokens_*` are the sums of the exclusive
    buckets.
    """

    id: UUID
    customer_id: UUID
    timestamp: datetime
    model: str
    provider: str
    tokens_input: int
    tokens_output: int
    cost_usd: UsdNumberOfNano = Field(validation_alias="cost_nano")
    request_id: UUID = Field(validation_alias="id")
    user_id: UUID
    team_id: UUID
    key_id: UUID | None
    cost_nano: int
    cost: MoneyOfNano = Field(validation_alias="cost_nano")
    house_loss_nano: int
    price_version: UUID
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    audio_in_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_out_tokens: int
    source: Literal["provider", "partial", "tokenizer", "reconciled"]
    outcome: Literal["complete", "stopped", "failed", "expired"]
    latency_ms: int | None
