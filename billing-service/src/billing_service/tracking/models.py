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

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens
