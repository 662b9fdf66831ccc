"""The rules of admission and charging."""

from collections.abc import Awaitable, Coroutine
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.contracts.billing import (
    Checkpoint,
    HoldProgress,
    RecordedUsage,
    Release,
    Reservation,
    ReserveRequest,
    Settlement,
    SettleRequest,
)

from billing_service.entitlements.errors import HoldEnded, HoldUnknown
from billing_service.entitlements.metrics import EntitlementMetrics
from billing_service.entitlements.models import (
    ReservePolicy,
    ReserveResult,
    SettleCall,
    SettleResult,
    bucket_list,
)
from billing_service.entitlements.refusals import model_not_allowed, refusal
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.entitlements.schemas import EntitledBudget, WalletView


class EntitlementService:
    """Reserve before a dispatch, settle after it."""

    def __init__(
        self,
        repository: EntitlementRepository,
        *,
        policy: ReservePolicy,
        public_url: str,
        metrics: EntitlementMetrics,
    ) -> None:
        self._repository = repository
        self._policy = policy
        self._public_url = public_url.rstrip("/")
        self._metrics = metrics

    def reserve(self, request: ReserveRequest) -> Coroutine[Any, Any, Reservation]:
        """Hold the most the dispatch can cost; fewer output tokens may be granted than asked for.

        Queued when this returns, decided when it is awaited.

        Raises, now or then:
            PriceUnknown, InsufficientCredits, BudgetExceeded, ModelNotAllowed: refused; nothing is held.
            RequestIdReused: the id belongs to another or an ended dispatch.
        """
        allowed = request.principal.models
        if allowed and request.model not in allowed:
            self._metrics.reserves.labels("model_not_allowed").inc()
            raise model_not_allowed(request.model, allowed)
        return self._reserved(request, self._repository.begin_reserve(request, self._policy))

    async def _reserved(self, request: ReserveRequest, deciding: Awaitable[ReserveResult]) -> Reservation:
        result = await deciding
        self._metrics.reserves.labels(result.outcome).inc()
        if result.outcome != "held":
            raise refusal(
                result,
                model=request.model,
                dispatch_id=request.request_id,
                public_url=self._public_url,
                role=request.principal.role,
            )
        return _reservation(request.request_id, result)

    def settle(self, dispatch_id: UUID, request: SettleRequest) -> Coroutine[Any, Any, Settlement]:
        """Charge what was used, up to the hold. A repeat returns the first charge. Queued when this returns,
        done when it is awaited.

        Raises, now or then:
            HoldUnknown: no reservation was made under this id.
            HoldEnded: it was released.
        """
        if request.provider_request_id is not None:
            return self._noted_and_settled(dispatch_id, request, request.provider_request_id)
        return self._settled(dispatch_id, self._charge(dispatch_id, request))

    async def _noted_and_settled(
        self, dispatch_id: UUID, request: SettleRequest, provider_request_id: str
    ) -> Settlement:
        await self._repository.note_provider(
            dispatch_id, provider_request_id, cost_nano=request.provider_cost_nano
        )
        return await self._settled(dispatch_id, self._charge(dispatch_id, request))

    def _charge(self, dispatch_id: UUID, request: SettleRequest) -> Coroutine[Any, Any, SettleResult]:
        call = SettleCall(
            dispatch_id,
            bucket_list(request.usage),
            request.source,
            request.outcome,
            request.occurred_at,
            request.latency_ms,
        )
        return self._repository.begin_settle(call)

    async def _settled(self, dispatch_id: UUID, deciding: Awaitable[SettleResult]) -> Settlement:
        settled = await deciding
        self._metrics.settles.labels(settled.result).inc()
        if settled.result == "unknown":
            raise HoldUnknown(f"no reservation {dispatch_id} was made here; reserve before you dispatch")
        if settled.result == "released":
            raise HoldEnded(
                f"reservation {dispatch_id} was released, so nothing may be charged to it; reserve again "
                "before a dispatch"
            )
        if settled.house_loss_nano:
            self._metrics.report_house_loss(dispatch_id, settled.house_loss_nano)
        # model_construct: the values come typed from our own function; validating them again costs as much as
        # the parse.
        return Settlement.model_construct(
            request_id=dispatch_id,
            state="settled",
            cost_nano=settled.cost_nano or 0,
            house_loss_nano=settled.house_loss_nano or 0,
            remaining_nano=settled.remaining_nano,
        )

    async def release(self, dispatch_id: UUID) -> Release:
        """Give back a hold whose request never reached a provider. Raises: HoldUnknown, HoldEnded (it was
        settled).
        """
        result = await self._repository.release(dispatch_id)
        if result == "unknown":
            raise HoldUnknown(f"no reservation {dispatch_id} was made here")
        if result != "released":
            raise HoldEnded(
                f"reservation {dispatch_id} is {result}; only what was never dispatched can be released"
            )
        self._metrics.settles.labels("given_back").inc()
        return Release(request_id=dispatch_id)

    async def checkpoint(self, holds: list[HoldProgress]) -> Checkpoint:
        """Renew the holds of running streams and remember how far they are."""
        renewed = (
            await self._repository.checkpoint(holds, ttl_s=self._policy.renewed_ttl_s)
            if holds
            else set[UUID]()
        )
        asked = dict.fromkeys(hold.request_id for hold in holds)
        return Checkpoint(
            renewed=[key for key in asked if key in renewed],
            lost=[key for key in asked if key not in renewed],
        )

    async def usage(self, dispatch_id: UUID) -> RecordedUsage:
        """What became of a dispatch. Raises: HoldUnknown."""
        found = await self._repository.usage(dispatch_id)
        if found is None:
            raise HoldUnknown(f"no reservation {dispatch_id} was made here")
        return found

    async def entitlements(self, principal: Principal) -> tuple[WalletView, list[EntitledBudget]]:
        """The wallet and every budget that applies to the principal; both are opened on first sight, as a
        reserve would.
        """
        organisation_id = principal.organisation_id
        scope_ids = [organisation_id, principal.team_id, principal.actor_id]
        if principal.key_id:
            scope_ids.append(principal.key_id)
        wallet = await self._repository.wallet(organisation_id)
        if wallet is None:
            await self._repository.open_accounts(organisation_id, grant_nano=self._policy.grant_nano)
            wallet = await self._repository.wallet(organisation_id)
        await self._repository.ensure_default_budget(
            organisation_id, principal.actor_id, limit_nano=self._policy.default_budget_nano
        )
        if wallet is None:
            raise HoldUnknown("the wallet could not be opened; try again")
        return wallet, await self._repository.budgets(organisation_id, scope_ids)


def _reservation(dispatch_id: UUID, result: ReserveResult) -> Reservation:
    # model_construct: the values come typed from our own function; validating them again costs as much as the
    # parse.
    return Reservation.model_construct(
        request_id=dispatch_id,
        state="held",
        amount_nano=result.amount_nano,
        price_version=result.price_version,
        granted_output_tokens=result.granted_output_tokens,
        free=result.free,
        expires_at=result.expires_at,
        remaining_nano=result.remaining_nano,
    )
