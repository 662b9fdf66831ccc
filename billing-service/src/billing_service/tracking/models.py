"""Rows of usage tracking."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Source = Literal["manual", "openrouter"]
SyncState = Literal["idle", "requested", "running", "waiting"]


@dataclass(frozen=True, slots=True)
class ExternalUsage:
    """Usage that did not pass through a hold."""

    transaction_id: str
    source: Source
    user_id: UUID | None
    model: str
    input_tokens: int
    output_tokens: int
    requests: int
    cost_nano: int
    charged: bool
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """Sums of one model over some time."""

    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost_nano: int


@dataclass(frozen=True, slots=True)
class SyncRow:
    """What the last synchronisation did. `next_run_at` is when the next run is due."""

    state: SyncState
    days_back: int
    started_at: datetime | None
    finished_at: datetime | None
    next_run_at: datetime
    generations: int
    days: int
    error: str | None
