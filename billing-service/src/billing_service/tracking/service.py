"""Rules of usage that did not pass through a hold: recorded by hand once, shown beside what was
charged here.
"""

from decimal import Decimal
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.ids import uuid7
from shared.money import NANO, decimal_str_to_nano
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.audit import service as audit
from billing_service.tracking import repository
from billing_service.tracking.errors import (
    AmountUnusable,
    OrganisationUnknown,
    RecordConflicts,
    WalletTooSmall,
)
from billing_service.tracking.models import ExternalUsage
from billing_service.tracking.schemas import ManualRecord, RealTimeUsage

COST_MAX_NANO = 1_000_000 * NANO


def own_organisation(principal: Principal, client_org_id: UUID | None) -> UUID:
    """The organisation that is meant: the caller's, which it may name. Raises: OrganisationUnknown for any
    other.
    """
    if client_org_id not in {None, principal.organisation_id}:
        raise OrganisationUnknown("there is no such organisation, or you do not belong to it")
    return principal.organisation_id


def cost_nano(cost: str | float) -> int:
    """Nano-USD of a decimal text or number. Raises: AmountUnusable."""
    try:
        amount = decimal_str_to_nano(cost if isinstance(cost, str) else f"{Decimal(str(cost)):f}")
    except ValueError as error:
        raise AmountUnusable(f"cost: {error}") from None
    if not 0 <= amount <= COST_MAX_NANO:
        raise AmountUnusable("cost must be from 0 to 1000000.00 USD")
    return amount


async def record_manually(
    session: AsyncSession, principal: Principal, form: ManualRecord, *, grant_nano: int
) -> tuple[ExternalUsage, bool]:
    """The record, and whether it is new: the same transaction id with the same figures is recorded once.

    Raises:
        OrganisationUnknown, AmountUnusable, RecordConflicts.
        WalletTooSmall: `charge` was asked for and the wallet cannot pay; nothing is recorded.
    """
    organisation_id = own_organisation(principal, form.client_org_id)
    usage = _usage_of(form)
    if not await repository.record(session, organisation_id, usage, recorded_by=principal.user_id):
        known = await repository.recorded(session, organisation_id, usage.transaction_id)
        if known is None or _figures(known) != _figures(usage):
            raise RecordConflicts(
                f"transaction_id {form.transaction_id} was recorded with other figures; use a new one"
            )
        return known, False
    if usage.charged:
        await _charge(session, organisation_id, usage, grant_nano=grant_nano)
    await audit.record(
        session,
        principal,
        "usage.recorded",
        object_id=usage.transaction_id,
        before=None,
        after={"model": usage.model, "cost_nano": usage.cost_nano, "charged": usage.charged},
    )
    return usage, True


async def real_time(session: AsyncSession, principal: Principal, client_org_id: UUID) -> RealTimeUsage:
    """What the organisation used today and this month (UTC). Raises: OrganisationUnknown."""
    organisation_id = own_organisation(principal, client_org_id)
    now = utc_now()
    today = await repository.figures(session, organisation_id, first=now.date())
    month = await repository.figures(session, organisation_id, first=now.date().replace(day=1))
    return RealTimeUsage.of(organisation_id, today=today, month=month, as_of=now)


async def _charge(
    session: AsyncSession, organisation_id: UUID, usage: ExternalUsage, *, grant_nano: int
) -> None:
    await repository.open_accounts(session, organisation_id, grant_nano=grant_nano)
    outcome = await repository.charge(
        session, organisation_id, usage.transaction_id, amount_nano=usage.cost_nano
    )
    if outcome != "charged":
        raise WalletTooSmall("the wallet holds less than the cost; top it up, or record without charge")


def _usage_of(form: ManualRecord) -> ExternalUsage:
    output = form.output_tokens or 0
    if output > form.tokens:
        raise AmountUnusable("output_tokens is more than tokens, which counts all of them")
    return ExternalUsage(
        transaction_id=f"manual:{form.transaction_id or uuid7()}",
        source="manual",
        user_id=form.user_id,
        model=form.model,
        input_tokens=form.tokens - output,
        output_tokens=output,
        requests=1,
        cost_nano=cost_nano(form.cost),
        charged=form.charge,
        occurred_at=form.occurred_at or utc_now(),
    )


def _figures(usage: ExternalUsage) -> tuple[str, int, int, int, bool]:
    return usage.model, usage.input_tokens, usage.output_tokens, usage.cost_nano, usage.charged
