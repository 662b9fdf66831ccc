"""Any server that speaks OpenAI's API: chat completions, embeddings and the list of models."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import orjson
from shared.http import UpstreamResponse

from inference_service.metering.usage import from_openai
from inference_service.providers.errors import ProviderFailed
from inference_service.providers.protocol import ChatCall, EmbeddingAnswer, EmbeddingRequest, Json, Kind, Readiness, UpstreamModel
from inference_service.providers.transport import Remote, Transport

_MODELS_MAX = 5000
_LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
# Servers of this kind list models without saying what they are for; these names are what the field uses.
_EMBEDDING_NAMES = ("embed", "minilm", "bge-", "e5-", "gte-")
_CONTEXT_NAMES = ("context_length", "max_model_len", "context_window", "max_context_length")


class OpenAICompatibleProvider:
    """Bytes of the answer pass through untouched; the request is edited shallowly."""

    kind = "openai"

    def __init__(self, provider_id: str, remote: Remote, transport: Transport) -> None:
        self.id = provider_id
        self.remote = remote
        self.transport = transport

    @property
    def address(self) -> str:
        return self.remote.named.address

    def readiness(self) -> Readiness | None:
        return None

    async def list_models(self) -> list[UpstreamModel]:
        answer = await self.transport.get_json(self.remote, b"/models")
        entries = answer.get("data")
        if not isinstance(entries, list):
            raise ProviderFailed(f"provider {self.id} answered /models without a list; its address must end before /models")
        named = [cast("Json", entry) for entry in cast("list[object]", entries)[:_MODELS_MAX] if isinstance(entry, dict)]
        return [_model(entry) for entry in named if isinstance(entry.get("id"), str) and entry["id"]]

    def open_chat(self, call: ChatCall) -> AbstractAsyncContextManager[UpstreamResponse]:
        body = orjson.dumps(self.chat_body(call))
        return self.transport.open(self.remote, b"/chat/completions", body, stream=call.stream, traceparent=call.traceparent)

    def chat_body(self, call: ChatCall) -> Json:
        """The client's body with the provider's model name, a bound on the answer, and usage asked for."""
        body = {name: value for name, value in call.body.items() if name not in _LIMIT_NAMES}
        body["model"] = call.model
        body[self.limit_name(call.body)] = call.output_tokens_max
        if call.stream:
            body["stream_options"] = {**cast("Json", body.get("stream_options") or {}), "include_usage": True}
        return body

    def limit_name(self, asked: Mapping[str, Any]) -> str:
        """The client's own word for the bound: old servers know only max_tokens, OpenAI's reasoning models only the other."""
        if asked.get("max_tokens") is not None:
            return "max_tokens"
        if asked.get("max_completion_tokens") is not None or self.remote.origin == "https://api.openai.com":
            return "max_completion_tokens"
        return "max_tokens"

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        body: Json = {"model": request.model, "input": request.texts, "encoding_format": request.encoding}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        answer = await self.transport.post_json(self.remote, b"/embeddings", orjson.dumps(body), traceparent=request.traceparent)
        data = answer.get("data")
        if not isinstance(data, list) or len(cast("list[object]", data)) != len(request.texts):
            raise ProviderFailed(f"provider {self.id} did not answer one vector per text")
        report = answer.get("usage")
        return EmbeddingAnswer(data=cast("list[Json]", data), usage=from_openai(cast("Json", report)) if isinstance(report, dict) else None)

    async def count_input_tokens(self, call: ChatCall) -> int | None:
        return None


def kind_of(name: str) -> Kind:
    lower = name.lower()
    return "embedding" if any(part in lower for part in _EMBEDDING_NAMES) else "chat"


def positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _model(entry: Json) -> UpstreamModel:
    context = next((length for name in _CONTEXT_NAMES if (length := positive(entry.get(name)))), None)
    name = entry.get("name")
    return UpstreamModel(
        id=entry["id"], kind=kind_of(entry["id"]), name=name if isinstance(name, str) else None, context_length=context,
        output_tokens_max=positive(entry.get("max_output_tokens")),
    )  # fmt: skip
