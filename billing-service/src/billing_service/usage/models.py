"""Usage as it is counted and recorded."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

UTC = "UTC"
Grouping = Literal["day", "model", "user", "key"]


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Sums of one group; members that were not grouped by are None."""

    day: date | None
    model: str | None
    user_id: UUID | None
    key_id: UUID | None
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nano: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One recorded dispatch. Its id is the dispatch's request_id."""

    id: UUID
    timestamp: datetime
    customer_id: UUID
    team_id: UUID
    user_id: UUID
    key_id: UUID | None
    model: str
    provider: str
    tokens_input: int
    tokens_output: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    audio_in_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_out_tokens: int
    cost_nano: int
    house_loss_nano: int
    price_version: UUID
    source: Literal["provider", "partial", "tokenizer", "reconciled"]
    outcome: Literal["complete", "stopped", "failed", "expired"]
    latency_ms: int | None
