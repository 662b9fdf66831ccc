"""Decides whether a chat completion may be sent, and sends it."""

from dataclasses import dataclass

from shared.auth import Principal

from inference_service.catalogue.service import Catalogue, Deployment
from inference_service.completions.downstream import Downstream
from inference_service.completions.exchange import Exchange, Plan
from inference_service.completions.request import ChatRequest
from inference_service.metering.meter import Bound, Meter
from inference_service.providers.errors import ContextTooLong
from inference_service.providers.protocol import ChatCall, UpstreamModel

# No tokenizer in use packs more bytes of ordinary text into a token on average: a longer input cannot fit.
_BYTES_PER_TOKEN_MAX = 8


@dataclass(frozen=True, slots=True)
class Completions:
    """One per process."""

    catalogue: Catalogue
    meter: Meter
    output_tokens_default: int

    async def prepare(self, request: ChatRequest, principal: Principal, downstream: Downstream, *, traceparent: bytes | None) -> Exchange:
        """An exchange ready to run. Raises: AppError when the request cannot be served; nothing is held then."""
        deployment = await self.catalogue.resolve(request.model, kind="chat", principal=principal)
        asked = request.output_tokens_asked
        output_max = min(asked or self.output_tokens_default, deployment.model.output_tokens_max or self.output_tokens_default)
        call = ChatCall(request.body, deployment.model.id, output_max, request.stream, traceparent)
        input_max = await self._fit_input(request, deployment, call)
        bound = Bound(
            model=deployment.id,
            provider=deployment.provider.id,
            kind="chat",
            input_tokens_max=input_max,
            output_tokens_max=output_max,
            input_tokens_floor=min(request.input_tokens_estimate, input_max),
            choices=request.choices,
        )
        return Exchange(self.meter, downstream, Plan(principal, request, deployment, call, bound))

    async def _fit_input(self, request: ChatRequest, deployment: Deployment, call: ChatCall) -> int:
        """The most tokens the input can be. Raises: ContextTooLong before the provider has to say so."""
        context = deployment.model.context_length
        bound = request.input_tokens_bound
        if context is None or bound < context:
            return bound
        counted = await deployment.provider.count_input_tokens(call)
        at_least = counted if counted is not None else bound // _BYTES_PER_TOKEN_MAX
        if at_least >= context:
            raise _too_long(deployment.model, deployment.id, at_least)
        return counted if counted is not None else context


def _too_long(model: UpstreamModel, public_id: str, tokens: int) -> ContextTooLong:
    text = f"the input has at least {tokens} tokens and {public_id} takes {model.context_length}; shorten or drop messages"
    return ContextTooLong(text, extra={"param": "messages", "context_length": model.context_length, "input_tokens": tokens})
