"""Decides whether a chat completion may be sent, and sends it."""

from dataclasses import dataclass, field
from uuid import UUID

from shared.access import AccessEnd
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.errors import Forbidden

from inference_service.catalogue.service import Catalogue
from inference_service.completions.admission import Admission, fit_input
from inference_service.completions.downstream import Downstream
from inference_service.completions.exchange import Exchange, Plan
from inference_service.completions.request import ChatRequest
from inference_service.metering.meter import Bound, Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long one answer may take in all. A provider that sends a byte now and then keeps every other
    time-out from passing.
    """

    stream_s: float
    whole_s: float


@dataclass(frozen=True, slots=True)
class Completions:
    """One per process."""

    catalogue: Catalogue
    meter: Meter
    admission: Admission
    limits: TimeLimits
    drain_kinds: frozenset[str] = frozenset()
    running: set[Exchange] = field(default_factory=set[Exchange])

    async def run(self, exchange: Exchange) -> None:
        """For a task of its own: the exchange to its end, during which `end_access` finds it."""
        self.running.add(exchange)
        try:
            await exchange.run()
        finally:
            self.running.discard(exchange)

    async def end_access(self, end: AccessEnd) -> None:
        """End and settle what this process runs for somebody who may not run it any more."""
        for exchange in list(self.running):
            if end.covers(exchange.principal, Permission.MODELS_USE):
                exchange.stop(Forbidden(end.detail, code=end.reason.value))

    async def prepare(
        self,
        request: ChatRequest,
        principal: Principal,
        downstream: Downstream,
        *,
        traceparent: bytes | None,
        dispatch_id: UUID | None = None,
    ) -> Exchange:
        """An exchange ready to run. `dispatch_id`: a new one that the caller knows already.

        Raises: AppError when the request cannot be served; nothing is held then.
        """
        deployment = await self.catalogue.resolve(request.model, kind="chat", principal=principal)
        call = self.admission.call(request, deployment, principal, traceparent=traceparent)
        input_max = await fit_input(request, deployment, call)
        bound = Bound(
            model=deployment.id,
            provider=deployment.provider.id,
            kind="chat",
            input_tokens_max=input_max,
            output_tokens_max=call.output_tokens_max,
            input_tokens_floor=min(request.input_tokens_estimate, input_max),
            choices=request.choices,
        )
        drain = deployment.provider.kind in self.drain_kinds
        answer_s_max = self.limits.stream_s if request.stream else self.limits.whole_s
        plan = Plan(
            principal,
            request,
            deployment,
            call,
            bound,
            answer_s_max=answer_s_max,
            dispatch_id=dispatch_id,
            drain=drain,
        )
        return Exchange(self.meter, downstream, plan)
