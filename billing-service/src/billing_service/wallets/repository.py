"""All SQL of wallets."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.wallets.schemas import WalletBalance

_WALLET = text(
    "SELECT k.wallet_id AS id, k.organisation_id, w.balance_nano AS available_nano, h.balance_nano AS"
    " held_nano, w.balance_nano + h.balance_nano AS balance_nano"
    " FROM book k JOIN account w ON w.id = k.wallet_id JOIN account h ON h.id = k.held_id WHERE"
    " k.organisation_id = :organisation_id"
)
_OPEN = text("SELECT open_book(:organisation_id, :grant_nano)")
_TOP_UP = text("SELECT top_up(:organisation_id, :wallet_id, :amount_nano, :transaction_id)")


async def open_accounts(session: AsyncSession, organisation_id: UUID, *, grant_nano: int) -> None:
    """Accounts and starting grant, when they are not there yet."""
    await session.execute(_OPEN, {"organisation_id": organisation_id, "grant_nano": grant_nano})


async def wallet_of(session: AsyncSession, organisation_id: UUID) -> WalletBalance | None:
    row = (await session.execute(_WALLET, {"organisation_id": organisation_id})).one_or_none()
    return WalletBalance.model_validate(row, from_attributes=True) if row else None


async def top_up(
    session: AsyncSession, organisation_id: UUID, wallet_id: UUID, *, amount_nano: int, transaction_id: str
) -> bool:
    """False: the organisation has no such wallet."""
    names = {
        "organisation_id": organisation_id,
        "wallet_id": wallet_id,
        "amount_nano": amount_nano,
        "transaction_id": transaction_id,
    }
    return (await session.execute(_TOP_UP, names)).scalar_one() is not None
