"""Wallets and top-ups as the API takes and shows them."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.money import Money

from billing_service.wallets.models import WalletRow


class WalletBalance(BaseModel):
    """`balance_nano` = `available_nano` + `held_nano`."""

    id: UUID
    organisation_id: UUID
    balance_nano: int
    held_nano: int
    available_nano: int
    balance: Money
    available: Money

    @classmethod
    def of(cls, wallet: WalletRow) -> Self:
        balance_nano = wallet.available_nano + wallet.held_nano
        return cls(
            id=wallet.id,
            organisation_id=wallet.organisation_id,
            balance_nano=balance_nano,
            held_nano=wallet.held_nano,
            available_nano=wallet.available_nano,
            balance=Money.of_nano(balance_nano),
            available=Money.of_nano(wallet.available_nano),
        )


class TopUpRequest(BaseModel):
    """Credit bought outside this system and booked by hand."""

    model_config = ConfigDict(extra="forbid")

    amount: str = Field(max_length=40, description='USD as a decimal text, such as "10.00"; at most nine decimals')
    note: str | None = Field(default=None, max_length=500)


class TopUp(BaseModel):
    """A booked top-up and the wallet after it."""

    id: UUID
    amount_nano: int
    amount: Money
    wallet: WalletBalance
