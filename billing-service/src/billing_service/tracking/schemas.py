"""Usage tracking as the API takes and shows it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictFloat, StrictInt
from shared.clock import utc_now
from shared.contracts.billing import TOKENS_MAX
from shared.money import MoneyOfNano

from billing_service.pricing.schemas import ModelName
from billing_service.tracking.models import Source, SyncState
from billing_service.usage.schemas import UsageTotal, UsdNumberOfNano

_CLOCK_TOLERANCE = timedelta(seconds=60)
Tokens = Annotated[int, Field(ge=0, le=TOKENS_MAX)]
TransactionId = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[A-Za-z0-9._:@/-]+$")]


def _past(moment: datetime) -> datetime:
    """In UTC. Raises: ValueError for a time that cannot have been yet."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of this calendar in UTC too") from None
    if moment > utc_now() + _CLOCK_TOLERANCE:
        raise ValueError("must not be in the future: a record says what has happened")
    return moment


class ManualRecord(BaseModel):
    """Usage that happened elsewhere. It counts in the figures; the wallet pays only with `charge`."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    tokens: Tokens = Field(
        description="all tokens; counted as input unless output_tokens says how many were output"
    )
    output_tokens: Tokens | None = Field(default=None, description="how many of `tokens` were output")
    cost: str | StrictInt | StrictFloat = Field(description='USD, as a decimal text ("0.002") or a number')
    client_org_id: UUID | None = Field(default=None, description="absent: the caller's organisation")
    user_id: UUID | None = Field(default=None, description="who used it, when that is known")
    transaction_id: TransactionId | None = Field(
        default=None, description="the same id twice is recorded once"
    )
    occurred_at: Annotated[AwareDatetime, AfterValidator(_past)] | None = Field(
        default=None, description="absent: now; not in the future"
    )
    charge: bool = Field(default=False, description="take the cost from the wallet")


class RecordedExternally(BaseModel):
    """One record as it was stored."""

    transaction_id: str
    source: Source
    model: str
    tokens: int
    input_tokens: int
    output_tokens: int
    cost: MoneyOfNano = Field(validation_alias="cost_nano")
    cost_nano: int
    cost_usd: UsdNumberOfNano = Field(validation_alias="cost_nano")
    charged: bool
    occurred_at: datetime


class Figures(UsageTotal):
    """Sums over some time."""

    tokens: int

    @classmethod
    def sum_of(cls, parts: "Sequence[Figures]") -> "Figures":
        """All of them together."""
        names = ("requests", "tokens", "input_tokens", "output_tokens", "cost_nano")
        return Figures.model_validate({name: sum(getattr(part, name) for part in parts) for name in names})


class ModelFigures(Figures):
    model: str


class RealTimeUsage(BaseModel):
    """What an organisation used today and this month (UTC), charged here or seen elsewhere; a dispatch counts
    once.
    """

    client_org_id: UUID
    today: Figures
    month: Figures
    by_model: list[ModelFigures] = Field(description="this month, dearest first")
    as_of: datetime

    @classmethod
    def of(
        cls,
        organisation_id: UUID,
        *,
        today: Sequence[ModelFigures],
        month: Sequence[ModelFigures],
        as_of: datetime,
    ) -> Self:
        return cls(
            client_org_id=organisation_id,
            today=Figures.sum_of(today),
            month=Figures.sum_of(month),
            by_model=sorted(month, key=lambda figures: (-figures.cost_nano, figures.model)),
            as_of=as_of,
        )


class SyncRequest(BaseModel):
    """Which days are compared: today is never complete at the provider, so it is left out."""

    model_config = ConfigDict(extra="forbid")

    days_back: int | None = Field(
        default=None, ge=1, le=30, description="absent: OPENROUTER_USAGE_SYNC_DAYS_BACK"
    )


class SyncStatus(BaseModel):
    """The synchronisation with OpenRouter. `waiting`: the provider asked for a pause, or an error is tried
    again at next_run_at.
    """

    enabled: bool
    state: SyncState
    days_back: int
    started_at: datetime | None
    finished_at: datetime | None
    next_run_at: datetime | None
    generations: int = Field(description="generations whose final cost was fetched, in all")
    days: int = Field(description="days of activity that were compared, in all")
    error: str | None
