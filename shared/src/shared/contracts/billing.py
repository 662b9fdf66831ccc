"""What inference-service and chat-service say to billing-service, and what it answers.

`request_id` is the wire's name of a dispatch's id, except in the entries of a batch, where it is that of the
HTTP request.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

TOKENS_MAX = 100_000_000
HOLDS_PER_CHECKPOINT_MAX = 1000
BATCH_ENTRIES_MAX = 64
BATCH_BYTES_MAX = 1024 * 1024
UNDECIDED = "undecided"
"""The code of an entry of a batch that takes too long for its neighbours: it is to be repeated alone."""
DISPATCH_HEADER = b"x-atrium-dispatch-id"
"""Under which id billing knows a dispatch: in every answer of inference, and in calls of chat and agents,
which choose their own.
"""
CHECKPOINT_INTERVAL_S = 1.0
"""How often a dispatcher renews the holds of what it has begun."""


class PrincipalChain(BaseModel):
    """Who pays: the levels a budget can sit on."""

    user_id: UUID
    organisation_id: UUID
    team_id: UUID
    key_id: UUID | None = None
    role: str | None = Field(
        default=None,
        max_length=40,
        description="what a refusal may offer depends on it; absent: as for anybody",
    )
    models: list[str] = Field(default_factory=list, max_length=1000)


class ReserveRequest(BaseModel):
    """Ask for the most one dispatch can cost. `request_id` is made per dispatch and is the hold's key."""

    request_id: UUID
    principal: PrincipalChain
    model: str = Field(min_length=1, max_length=200)
    provider: str = Field(min_length=1, max_length=200)
    kind: Literal["chat", "embedding"] = "chat"
    input_tokens_max: int = Field(ge=0, le=TOKENS_MAX)
    input_tokens_floor: int | None = Field(
        default=None,
        ge=0,
        le=TOKENS_MAX,
        description="input charged if nobody ever settles; a quarter of input_tokens_max when absent",
    )
    output_tokens_max: int = Field(ge=0, le=TOKENS_MAX)
    n: int = Field(default=1, ge=1, le=128)


class Reservation(BaseModel):
    """A granted hold. `granted_output_tokens` is what the provider may be asked for, per choice."""

    request_id: UUID
    state: Literal["held"] = "held"
    amount_nano: int
    price_version: UUID | None
    granted_output_tokens: int
    free: bool
    expires_at: datetime
    remaining_nano: int | None


class UsageBuckets(BaseModel):
    """Tokens in exclusive buckets: their sum is the provider's total."""

    input_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX, description="uncached input")
    cache_read_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX)
    cache_write_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX)
    audio_in_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX)
    output_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX, description="visible output")
    reasoning_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX)
    audio_out_tokens: int = Field(default=0, ge=0, le=TOKENS_MAX)


UsageSource = Literal["provider", "partial", "tokenizer", "reconciled"]


class SettleRequest(BaseModel):
    """What one dispatch really used."""

    usage: UsageBuckets
    source: UsageSource
    outcome: Literal["complete", "stopped", "failed"]
    occurred_at: datetime
    latency_ms: int = Field(default=0, ge=0)
    provider_request_id: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="the provider's own id, when it keeps figures under it",
    )
    provider_cost_nano: int | None = Field(
        default=None, ge=0, le=10**18, description="what the provider said at once that it billed"
    )


class Settlement(BaseModel):
    """The one charge of a dispatch; a repeated settle returns the first."""

    request_id: UUID
    state: Literal["settled"] = "settled"
    cost_nano: int
    house_loss_nano: int
    remaining_nano: int | None


class ReleaseRequest(BaseModel):
    """Give a hold back: nothing was dispatched."""

    reason: str = Field(max_length=200)


class Release(BaseModel):
    request_id: UUID
    state: Literal["released"] = "released"


class HoldProgress(BaseModel):
    request_id: UUID
    output_tokens: int = Field(ge=0, le=TOKENS_MAX)


class CheckpointRequest(BaseModel):
    """Progress of all live streams of one process; renews their holds."""

    holds: list[HoldProgress] = Field(max_length=HOLDS_PER_CHECKPOINT_MAX)


class Checkpoint(BaseModel):
    renewed: list[UUID]
    lost: list[UUID]


class RecordedUsage(BaseModel):
    """What became of one dispatch."""

    request_id: UUID
    state: Literal["held", "settled", "released", "expired"]
    cost_nano: int
    input_tokens: int
    output_tokens: int


class _Entry(BaseModel):
    """One call of a batch. `request_id` and `traceparent` are of the HTTP request that it is made for."""

    request_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{8,64}$")
    traceparent: str | None = Field(default=None, max_length=100)


class ReserveEntry(_Entry):
    action: Literal["reserve"]
    body: ReserveRequest


class SettleEntry(_Entry):
    action: Literal["settle"]
    dispatch_id: UUID
    body: SettleRequest


class ReleaseEntry(_Entry):
    action: Literal["release"]
    dispatch_id: UUID
    body: ReleaseRequest


BatchEntry = Annotated[ReserveEntry | SettleEntry | ReleaseEntry, Field(discriminator="action")]


class Batch(BaseModel):
    """Calls of one process that travel together."""

    entries: list[BatchEntry] = Field(min_length=1, max_length=BATCH_ENTRIES_MAX)


class BatchAnswer(BaseModel):
    """What the entry would have been answered alone: `body` is problem+json unless `status` is 200."""

    status: int
    body: Reservation | Settlement | Release | dict[str, Any]


class BatchAnswers(BaseModel):
    """One for each entry, in their order."""

    answers: list[BatchAnswer]
