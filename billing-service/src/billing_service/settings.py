"""What the billing-service reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator
from shared.contracts.billing import CHECKPOINT_INTERVAL_S
from shared.money import decimal_str_to_nano
from shared.settings import ServiceSettings

SCHEMA = "billing"
SCHEMA_VERSION = 9
NO_BUDGET = "off"
_CHECKPOINTS_MISSED_MIN = 3  # fewer are lost by a slow second, under a stream that lives


class BillingSettings(ServiceSettings):
    """Settings of the billing-service. Amounts are decimal USD texts."""

    service: ClassVar[str] = "billing-service"

    port: int = Field(default=8005, ge=0, le=65535, description="port the service binds")
    starting_grant: str = Field(
        default="5.00", description="USD that an organisation's wallet starts with, granted once; 0 for none"
    )
    default_user_budget: str = Field(
        default="2.00",
        description=(
            "USD a person may spend per calendar month (UTC) until an administrator sets a budget; `off` "
            "for no limit"
        ),
    )
    default_user_budgets_max: str = Field(
        default="100.00",
        description="USD that the default budgets of an organisation may add up to; people beyond get 0 until"
        " an administrator sets their budget; `off` for no limit",
    )
    hold_ttl_s: float = Field(
        default=30, ge=0.5, le=3600, description="seconds a hold lives whose dispatch was never begun"
    )
    hold_begun_ttl_s: float = Field(
        default=10,
        ge=_CHECKPOINTS_MISSED_MIN * CHECKPOINT_INTERVAL_S,
        le=3600,
        description=(
            "seconds a hold lives after its last checkpoint, which comes each second while its dispatch "
            "runs; HOLD_TTL_S at most"
        ),
    )
    min_granted_tokens: int = Field(
        default=16, ge=0, le=4096, description="fewer output tokens than this are refused instead of granted"
    )
    invariants_interval_s: float = Field(
        default=300, ge=1, description="seconds between two checks of the ledger's invariants"
    )
    hold_keep_days: int = Field(
        default=35,
        ge=1,
        le=400,
        description="days an ended hold answers a repeated settle before it is deleted",
    )
    budget_window_keep_days: int = Field(
        default=400,
        ge=62,
        description="days the spending of a past budget window is kept, counted from its start",
    )
    provider_call_keep_days: int = Field(
        default=62,
        ge=31,
        description="days a provider's own ids of dispatches are kept, by which its bills are compared",
    )
    audit_keep_days: int = Field(default=730, ge=90, description="days an entry of the audit trail is kept")
    outbox_keep_days: int = Field(
        default=7, ge=2, le=400, description="days an event is kept that was delivered"
    )
    partitions_ahead: int = Field(
        default=3, ge=1, le=24, description="monthly partitions kept ready ahead of time"
    )
    openrouter_api_key: SecretStr | None = Field(
        default=None, description="set: final costs are fetched from OpenRouter for its models"
    )
    openrouter_management_key: SecretStr | None = Field(
        default=None,
        description=(
            "set: usage of the OpenRouter account that did not pass through Atrium is found, day by day"
        ),
    )
    openrouter_base_url: str = Field(
        default="https://openrouter.ai/api/v1", description="where OpenRouter answers"
    )
    openrouter_usage_sync_interval: float = Field(
        default=600, ge=10, le=86_400, description="seconds between two synchronisations"
    )
    openrouter_usage_sync_days_back: int = Field(
        default=1, ge=1, le=30, description="complete days that a synchronisation compares"
    )
    jobs_enabled: bool = Field(default=True, description="run the sweeper and the other jobs in this process")

    @field_validator("starting_grant")
    @classmethod
    def _grant_is_an_amount(cls, value: str) -> str:
        if decimal_str_to_nano(value) < 0:
            raise ValueError("must not be negative")
        return value

    @field_validator("default_user_budget", "default_user_budgets_max")
    @classmethod
    def _budget_is_an_amount(cls, value: str) -> str:
        if value.lower() != NO_BUDGET and decimal_str_to_nano(value) < 0:
            raise ValueError("must not be negative; `off` means no limit")
        return value

    @property
    def renewed_ttl_s(self) -> float:
        """What a checkpoint gives a hold."""
        return min(self.hold_begun_ttl_s, self.hold_ttl_s)

    @property
    def syncs_openrouter(self) -> bool:
        return self.openrouter_api_key is not None

    @property
    def starting_grant_nano(self) -> int:
        return decimal_str_to_nano(self.starting_grant)

    @property
    def default_user_budget_nano(self) -> int | None:
        """None: people have no budget of their own by default."""
        return _limit_nano(self.default_user_budget)

    @property
    def default_user_budgets_max_nano(self) -> int | None:
        """None: default budgets have no ceiling together."""
        return _limit_nano(self.default_user_budgets_max)


def _limit_nano(amount: str) -> int | None:
    return None if amount.lower() == NO_BUDGET else decimal_str_to_nano(amount)
