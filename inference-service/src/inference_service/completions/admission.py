"""What of a checked request reaches the provider, and whether it fits the model."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.auth.principal import Principal

from inference_service.catalogue.service import Deployment
from inference_service.completions.request import ChatRequest
from inference_service.json_fields import refusal
from inference_service.members import Members
from inference_service.providers.demanded_call import is_demanded
from inference_service.providers.errors import ContextTooLong
from inference_service.providers.protocol import ChatCall, UpstreamModel
from inference_service.providers.pseudonyms import Pseudonyms

# No tokenizer in use packs more bytes of ordinary text into a token on average: a longer input cannot fit.
_BYTES_PER_TOKEN_MAX = 8
# When nothing is asked and the input may fill the window, this share of it is left for the answer.
_ANSWER_SHARE = 4


@dataclass(frozen=True, slots=True)
class Admission:
    """One per process."""

    members: Mapping[str, Members]
    pseudonyms: Pseudonyms
    output_tokens_default: int

    def call(
        self, request: ChatRequest, deployment: Deployment, principal: Principal, *, traceparent: bytes | None
    ) -> ChatCall:
        """The call for the provider. Raises: BadRequest for a member that it is not sent."""
        provider = deployment.provider
        _check_content(request, deployment)
        return ChatCall(
            body=self.members[provider.kind].admit(request.body),
            model=deployment.model.id,
            output_tokens_max=self._output_tokens(request, deployment.model),
            stream=request.stream,
            traceparent=traceparent,
            choices=request.choices,
            person=self.pseudonyms.of(principal.user_id, provider.id),
            cache_key=request.body.get("prompt_cache_key"),
            context_tokens=deployment.model.context_length,
        )

    def _output_tokens(self, request: ChatRequest, model: UpstreamModel) -> int:
        """What was asked up to what the model can do; the default holds only where nothing was asked."""
        context = model.context_length or self.output_tokens_default
        most = min(model.output_tokens_max or context, context)
        if request.output_tokens_asked is not None:
            return min(request.output_tokens_asked, most)
        room = max(context - request.input_tokens_bound, context // _ANSWER_SHARE, 1)
        return min(self.output_tokens_default, most, room)


def _check_content(request: ChatRequest, deployment: Deployment) -> None:
    """Raises: BadRequest for what this model or its server cannot be given."""
    known, name = deployment.model.capabilities, deployment.id
    if request.has_images and known and "vision" not in known:
        raise refusal(f"{name} reads no images; choose a model that does", "messages", "unsupported_content")
    if deployment.provider.kind != "ollama":
        return
    if request.choices > 1:
        raise refusal(f"{name} gives one answer at a time; leave n out", "n", "unsupported_value")
    if is_demanded(request.body):
        raise refusal(
            f"{name} cannot be made to call a tool; set tool_choice to auto or none",
            "tool_choice",
            "unsupported_value",
        )
    if request.has_images and any(not url.startswith("data:") for url in request.image_urls()):
        raise refusal(f"{name} takes images as data: URLs only", "messages", "unsupported_content")


async def fit_input(request: ChatRequest, deployment: Deployment, call: ChatCall) -> int:
    """The most tokens the input can be. Raises: ContextTooLong before the provider has to say so."""
    context, bound = deployment.model.context_length, request.input_tokens_bound
    if context is None or bound < context:
        return bound
    counted = await deployment.provider.count_input_tokens(call)
    at_least = counted if counted is not None else bound // _BYTES_PER_TOKEN_MAX
    if at_least >= context:
        raise _too_long(deployment, context, at_least)
    if counted is not None:
        return counted
    # A window that nobody stated is a guess: the provider may take more, and what it takes is paid for.
    return bound if deployment.model.context_source == "default" else context


def _too_long(deployment: Deployment, context: int, tokens: int) -> ContextTooLong:
    # These words are what the clients of LiteLLM and of OpenAI look for.
    text = (
        f"This model's maximum context length is {context} tokens. However, your messages resulted in at "
        f"least {tokens} tokens. "
        f"Please reduce the length of the messages for {deployment.id}."
    )
    if deployment.model.context_source == "default":
        text += (
            " The length is assumed, because nobody states it; an operator sets it in MODEL_CONTEXT_LENGTHS."
        )
    extra = {
        "param": "messages",
        "context_length": context,
        "context_source": deployment.model.context_source,
        "input_tokens": tokens,
    }
    return ContextTooLong(text, extra=extra)
