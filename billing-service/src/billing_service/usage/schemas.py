"""Usage as the API shows it. The event carries the field names of the platform's usage contract."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, PlainSerializer
from shared.money import Money, nano_to_decimal_str

from billing_service.usage.models import EventRow, UsageSum

# The contract says "number". A float prints the shortest text that reads back to it, so up to 15 significant digits (a million
# USD at nine decimals) the JSON text is the exact decimal of cost_nano. cost_nano beside it is always exact.
UsdNumber = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class UsageGroup(BaseModel):
    """Sums of one group; what was not grouped by is null."""

    day: date | None = None
    model: str | None = None
    user_id: UUID | None = None
    key_id: UUID | None = None
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    cost: Money

    @classmethod
    def of(cls, row: UsageSum) -> Self:
        return cls(
            day=row.day,
            model=row.model,
            user_id=row.user_id,
            key_id=row.key_id,
            requests=row.requests,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cost_nano=row.cost_nano,
            cost=Money.of_nano(row.cost_nano),
        )


class UsageTotal(BaseModel):
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    cost: Money

    @classmethod
    def of(cls, row: UsageSum) -> Self:
        return cls(
            requests=row.requests,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cost_nano=row.cost_nano,
            cost=Money.of_nano(row.cost_nano),
        )


class UsageReport(BaseModel):
    """Sums of whole days of the asked time zone, `from` and `to` included."""

    object: Literal["list"] = "list"
    data: list[UsageGroup]
    total: UsageTotal


class UsageEvent(BaseModel):
    """One dispatch to a provider. `customer_id` is the organisation, `tokens_*` are the sums of the exclusive buckets."""

    id: UUID
    customer_id: UUID
    timestamp: datetime
    model: str
    provider: str
    tokens_input: int
    tokens_output: int
    cost_usd: UsdNumber
    request_id: UUID
    user_id: UUID
    team_id: UUID
    key_id: UUID | None
    cost_nano: int
    cost: Money
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

    @classmethod
    def of(cls, row: EventRow) -> Self:
        return cls(
            id=row.id,
            request_id=row.id,
            customer_id=row.customer_id,
            timestamp=row.timestamp,
            model=row.model,
            provider=row.provider,
            tokens_input=row.tokens_input,
            tokens_output=row.tokens_output,
            cost_usd=Decimal(nano_to_decimal_str(row.cost_nano)),
            user_id=row.user_id,
            team_id=row.team_id,
            key_id=row.key_id,
            cost_nano=row.cost_nano,
            cost=Money.of_nano(row.cost_nano),
            house_loss_nano=row.house_loss_nano,
            price_version=row.price_version,
            input_tokens=row.input_tokens,
            cache_read_tokens=row.cache_read_tokens,
            cache_write_tokens=row.cache_write_tokens,
            audio_in_tokens=row.audio_in_tokens,
            output_tokens=row.output_tokens,
            reasoning_tokens=row.reasoning_tokens,
            audio_out_tokens=row.audio_out_tokens,
            source=row.source,
            outcome=row.outcome,
            latency_ms=row.latency_ms,
        )
