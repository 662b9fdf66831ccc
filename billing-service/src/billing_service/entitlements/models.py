"""What the money functions of the database take and answer, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.billing import ReserveRequest, UsageBuckets

ReserveOutcome = Literal[
    "held", "price_unknown", "insufficient_credits", "budget_exceeded", "request_id_reused"
]
Scope = Literal["wallet", "organisation", "team", "user", "key"]
Window = Literal["hour", "day", "week", "month", "total"]


@dataclass(frozen=True, slots=True)
class ReservePolicy:
    """What the installation decides about every hold."""

    ttl_s: float
    renewed_ttl_s: float
    output_tokens_min: int
    grant_nano: int
    default_budget_nano: int | None


@dataclass(frozen=True, slots=True)
class ReserveCall:
    """What settle_and_reserve() takes for a reserve."""

    request: ReserveRequest
    policy: ReservePolicy


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """What settle_and_reserve() answers for a reserve.

    Refused: `scope` and the rest name the tightest limit and `amount_nano` is the least that was needed.
    """

    outcome: ReserveOutcome
    amount_nano: int | None
    price_version: UUID | None
    granted_output_tokens: int | None
    free: bool | None
    expires_at: datetime | None
    remaining_nano: int | None
    scope: Scope | None
    scope_id: UUID | None
    limit_nano: int | None
    spent_nano: int | None
    held_nano: int | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class SettleCall:
    """What settle_and_reserve() takes for a settlement; `buckets` as bucket_list() orders them."""

    dispatch_id: UUID
    buckets: list[int]
    source: str
    outcome: str
    occurred_at: datetime
    latency_ms: int


@dataclass(frozen=True, slots=True)
class SettleResult:
    """Columns of settle(); `not_held` never leaves the repository."""

    result: Literal["settled", "released", "unknown", "not_held"]
    cost_nano: int | None
    house_loss_nano: int | None
    remaining_nano: int | None


def bucket_list(usage: UsageBuckets) -> list[int]:
    """The buckets in the order the database functions take them."""
    return [
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.audio_in_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.audio_out_tokens,
    ]
