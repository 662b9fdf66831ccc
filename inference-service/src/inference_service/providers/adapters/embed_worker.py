"""The built-in embedding model as a provider: no address, no key, a worker process behind it."""

import base64
from array import array
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

from inference_service.embed_worker.client import EmbedWorker
from inference_service.metering.usage import Usage
from inference_service.providers.errors import ProviderFailed
from inference_service.providers.protocol import (
    CallFailure,
    ChatCall,
    EmbeddingAnswer,
    EmbeddingRequest,
    Json,
    ProviderResponse,
    Readiness,
    UpstreamModel,
)

_TOKENS_MAX = 256
_FLOAT_BYTES = 4


class EmbedWorkerProvider:
    """Serves one model; ready as soon as its files are there."""

    id = "local-embeddings"
    kind = "embed-worker"
    address = "(in this service)"

    def __init__(self, worker: EmbedWorker, *, model: str) -> None:
        self._worker = worker
        self._model = model

    def readiness(self) -> Readiness | None:
        missing = self._worker.missing_file()
        if missing is None:
            return Readiness("ready")
        return Readiness("loading", f"{missing.name} has not been fetched yet")

    def failure(self) -> CallFailure | None:
        return None

    async def list_models(self) -> list[UpstreamModel]:
        return [
            UpstreamModel(
                id=self._model, kind="embedding", name=self._model, context_length=_TOKENS_MAX, builtin=True
            )
        ]

    def open_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        raise ProviderFailed(f"{self._model} is an embedding model; it cannot chat")

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        reply = await self._worker.embed(request.texts, owner=request.owner, priority=request.priority)
        size_bytes = reply.dimensions * _FLOAT_BYTES
        encode = _ENCODERS[request.encoding]
        vectors = (reply.vectors[at : at + size_bytes] for at in range(0, len(reply.vectors), size_bytes))
        data: list[Json] = [
            {"object": "embedding", "index": index, "embedding": encode(vector)}
            for index, vector in enumerate(vectors)
        ]
        return EmbeddingAnswer(data=data, usage=Usage(input_tokens=sum(reply.tokens)))

    async def count_input_tokens(self, call: ChatCall) -> int | None:
        return None


def _as_floats(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def _as_base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


_ENCODERS: Mapping[Literal["float", "base64"], Callable[[bytes], list[float] | str]] = {
    "float": _as_floats,
    "base64": _as_base64,
}
