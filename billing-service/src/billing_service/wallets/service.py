"""Rules of wallets: one per organisation, topped up by those who may, every change on the ledger and in the
audit trail.
"""

from uuid import UUID

from shared.auth.principal import Principal
from shared.ids import uuid7
from shared.money import NANO, decimal_str_to_nano
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import service as audit
from billing_service.wallets import repository
from billing_service.wallets.errors import AmountNotUsable, WalletUnknown
from billing_service.wallets.schemas import TopUp, WalletBalance

TOP_UP_MAX_NANO = 1_000_000 * NANO


def usable_amount(amount: str) -> int:
    """Nano-USD of a top-up. Raises: AmountNotUsable."""
    try:
        amount_nano = decimal_str_to_nano(amount)
    except ValueError as error:
        raise AmountNotUsable(f"amount: {error}") from None
    if not 0 < amount_nano <= TOP_UP_MAX_NANO:
        raise AmountNotUsable("amount must be more than 0 and at most 1000000.00")
    return amount_nano


async def wallet_of(session: AsyncSession, organisation_id: UUID, *, grant_nano: int) -> WalletBalance:
    """The organisation's wallet, opened with its starting grant on first sight."""
    wallet = await repository.wallet_of(session, organisation_id)
    if wallet is None:
        await repository.open_accounts(session, organisation_id, grant_nano=grant_nano)
        wallet = await repository.wallet_of(session, organisation_id)
    if wallet is None:
        raise WalletUnknown("the wallet could not be opened; try again")
    return wallet


async def top_up(
    session: AsyncSession,
    principal: Principal,
    wallet_id: UUID,
    *,
    amount: str,
    note: str | None,
    grant_nano: int,
) -> TopUp:
    """Book paid credit. Raises: WalletUnknown, AmountNotUsable."""
    amount_nano = usable_amount(amount)
    before = await wallet_of(session, principal.organisation_id, grant_nano=grant_nano)
    top_up_id = uuid7()
    booked = await repository.top_up(
        session,
        principal.organisation_id,
        wallet_id,
        amount_nano=amount_nano,
        transaction_id=f"top_up:{top_up_id}",
    )
    if not booked:
        raise WalletUnknown(
            "your organisation has no wallet with this id; GET /api/v1/billing/wallets lists it"
        )
    after = await wallet_of(session, principal.organisation_id, grant_nano=grant_nano)
    await audit.record(
        session,
        principal,
        "wallet.topped_up",
        object_id=str(wallet_id),
        before={"available_nano": before.available_nano},
        after={
            "available_nano": after.available_nano,
            "amount_nano": amount_nano,
            "top_up_id": top_up_id,
            "note": note,
        },
    )
    return TopUp.model_validate({"id": top_up_id, "amount_nano": amount_nano, "wallet": after})
