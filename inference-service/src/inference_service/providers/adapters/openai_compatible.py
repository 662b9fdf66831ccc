"""Any server that speaks OpenAI's API: chat completions, embeddings and the list of models."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import orjson

from inference_service.members import PERSON_MEMBERS, within
from inference_service.metering.usage import from_openai
from inference_service.providers.errors import AnswerBroken, ProviderFailed, ProviderUnavailable
from inference_service.providers.protocol import (
    CallFailure,
    ChatCall,
    EmbeddingAnswer,
    EmbeddingRequest,
    Json,
    Kind,
    ProviderResponse,
    Readiness,
    UpstreamModel,
)
from inference_service.providers.pseudonyms import cache_key
from inference_service.providers.transport import Remote, Transport

_MODELS_MAX = 5000
# Servers that refuse a request for a member they do not know.
_REFUSED_MEMBERS: Mapping[str, frozenset[str]] = {
    "api.mistral.ai": PERSON_MEMBERS,
    "generativelanguage.googleapis.com": PERSON_MEMBERS,
    "api.groq.com": PERSON_MEMBERS - {"user"},
    "api.cerebras.ai": PERSON_MEMBERS - {"user"},
}
_LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
# Servers of this kind list models without saying what they are for; these names are what the field uses.
_EMBEDDING_NAMES = ("embed", "minilm", "bge-", "e5-", "gte-")
_OUTPUT_NAMES = ("max_output_tokens", "max_completion_tokens")
_CREATED_MAX = 10_000_000_000
_CONTEXT_NAMES = ("context_length", "max_model_len", "context_window", "max_context_length")


class OpenAICompatibleProvider:
    """Bytes of the answer pass through untouched; the request is edited shallowly."""

    kind = "openai"
    chat_target = b"/chat/completions"

    def __init__(
        self,
        provider_id: str,
        remote: Remote,
        transport: Transport,
        *,
        person_members: frozenset[str] = frozenset(),
    ) -> None:
        self.id = provider_id
        self.remote = remote
        self.transport = transport
        self._failure: CallFailure | None = None
        self._person_members = person_members - _REFUSED_MEMBERS.get(
            remote.origin.partition("://")[2], frozenset()
        )

    @property
    def address(self) -> str:
        return self.remote.named.address

    def readiness(self) -> Readiness | None:
        return None

    def failure(self) -> CallFailure | None:
        return self._failure

    async def list_models(self) -> list[UpstreamModel]:
        answer = await self.transport.get_json(self.remote, b"/models")
        entries = answer.get("data")
        if not isinstance(entries, list):
            raise ProviderFailed(
                f"provider {self.id} answered /models without a list; its address must end before /models"
            )
        named = [
            cast("Json", entry)
            for entry in cast("list[object]", entries)[:_MODELS_MAX]
            if isinstance(entry, dict)
        ]
        return [_model(entry) for entry in named if isinstance(entry.get("id"), str) and entry["id"]]

    def open_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        return self._noted(self.send_chat(call))

    def send_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        body = orjson.dumps(self.chat_body(call))
        return self.transport.open(
            self.remote, self.chat_target, body, stream=call.stream, traceparent=call.traceparent
        )

    @asynccontextmanager
    async def _noted(
        self, opened: AbstractAsyncContextManager[ProviderResponse]
    ) -> AsyncGenerator[ProviderResponse]:
        """The exchange, with what is learnt of whether the provider can be reached."""
        try:
            response = await opened.__aenter__()
        except ProviderUnavailable as error:
            self._failure = CallFailure(error.detail, time.monotonic())
            raise
        self._failure = None
        try:
            yield response
        finally:
            await opened.__aexit__(None, None, None)

    def chat_body(self, call: ChatCall) -> Json:
        """What the provider is sent, with its own model name, a bound on the answer, who asks, and usage
        asked for.
        """
        body = {name: value for name, value in call.body.items() if name not in _LIMIT_NAMES}
        body = within(body, output_tokens=call.output_tokens_max, choices=call.choices)
        body["model"] = call.model
        body[self.limit_name(call.body)] = call.output_tokens_max
        if call.person:
            known_as = dict.fromkeys(PERSON_MEMBERS, call.person) | {
                "prompt_cache_key": cache_key(call.person, call.cache_key)
            }
            body.update({name: known_as[name] for name in self._person_members})
        if call.stream:
            body["stream_options"] = {**cast("Json", body.get("stream_options") or {}), "include_usage": True}
        return body

    def limit_name(self, asked: Mapping[str, Any]) -> str:
        """The client's own word for the bound: old servers know only max_tokens, OpenAI's reasoning models
        only the other.
        """
        if asked.get("max_tokens") is not None:
            return "max_tokens"
        if asked.get("max_completion_tokens") is not None or self.remote.origin == "https://api.openai.com":
            return "max_completion_tokens"
        return "max_tokens"

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        body: Json = {"model": request.model, "input": request.texts, "encoding_format": request.encoding}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        answer = await self.transport.post_json(
            self.remote, b"/embeddings", orjson.dumps(body), traceparent=request.traceparent
        )
        data = answer.get("data")
        if not isinstance(data, list) or len(cast("list[object]", data)) != len(request.texts):
            raise AnswerBroken(f"provider {self.id} did not answer one vector per text")
        report = answer.get("usage")
        return EmbeddingAnswer(
            data=cast("list[Json]", data),
            usage=from_openai(cast("Json", report)) if isinstance(report, dict) else None,
        )

    async def count_input_tokens(self, call: ChatCall) -> int | None:
        return None


def kind_of(name: str) -> Kind:
    lower = name.lower()
    return "embedding" if any(part in lower for part in _EMBEDDING_NAMES) else "chat"


def positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _model(entry: Json) -> UpstreamModel:
    context = next((length for name in _CONTEXT_NAMES if (length := positive(entry.get(name)))), None)
    output = next((length for key in _OUTPUT_NAMES if (length := positive(entry.get(key)))), None)
    created = positive(entry.get("created"))
    name = entry.get("name")
    return UpstreamModel(
        id=entry["id"], kind=kind_of(entry["id"]), name=name if isinstance(name, str) else None,
        context_length=context,
        output_tokens_max=output, created=created if created and created < _CREATED_MAX else None,
    )  # fmt: skip
