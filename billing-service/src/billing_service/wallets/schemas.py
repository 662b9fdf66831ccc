"""Wallets and top-ups as the API takes and shows them."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.money import MoneyOfNano


class WalletBalance(BaseModel):
    """`balance_nano` = `available_nano` + `held_nano`."""

    id: UUID
    organisation_id: UUID
    balance_nano: int
    held_nano: int  # of running requests
    available_nano: int  # for new holds
    balance: MoneyOfNano = Field(validation_alias="balance_nano")
    available: MoneyOfNano = Field(validation_alias="available_nano")


class TopUpRequest(BaseModel):
    """Credit bought outside this system and booked by hand."""

    model_config = ConfigDict(extra="forbid")

    amount: str = Field(
        max_length=40, description='USD as a decimal text, such as "10.00"; at most nine decimals'
    )
    note: str | None = Field(default=None, max_length=500)


class TopUp(BaseModel):
    """A booked top-up and the wallet after it."""

    id: UUID
    amount_nano: int
    amount: MoneyOfNano = Field(validation_alias="amount_nano")
    wallet: WalletBalance
