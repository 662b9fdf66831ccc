"""Ollama servers: listed and described through the official client, asked through their OpenAI-compatible /v1."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from inference_service.providers.adapters.openai_compatible import OpenAICompatibleProvider, kind_of, positive
from inference_service.providers.errors import ProviderFailed, ProviderUnavailable, told
from inference_service.providers.protocol import Kind, UpstreamModel
from inference_service.providers.transport import Remote, Transport

_MODELS_MAX = 256
_SHOW_PARALLEL_MAX = 4


class OllamaProvider(OpenAICompatibleProvider):
    """`remote` is the server's /v1; `host` its root."""

    kind = "ollama"

    def __init__(self, provider_id: str, remote: Remote, transport: Transport, *, host: str, timeout_s: float) -> None:
        super().__init__(provider_id, remote, transport)
        self._host = host
        self._timeout_s = timeout_s
        self._client: Any = None
        self._described: dict[tuple[str, str], UpstreamModel] = {}

    async def list_models(self) -> list[UpstreamModel]:
        # Imported on use: an installation without Ollama pays neither the time nor the memory.
        import httpx
        import ollama

        if self._client is None:
            self._client = ollama.AsyncClient(host=self._host, timeout=self._timeout_s, trust_env=False)
        client = cast("ollama.AsyncClient", self._client)
        try:
            listed = (await client.list()).models[:_MODELS_MAX]
            gate = asyncio.Semaphore(_SHOW_PARALLEL_MAX)
            named = [(entry.model, entry.digest or "") for entry in listed if entry.model]
            found = await asyncio.gather(*(self._describe(client, name, digest, gate) for name, digest in named))
        except (ConnectionError, httpx.TransportError) as error:
            note = f"Ollama does not answer at {self._host}; start it or correct OLLAMA_BASE_URLS"
            raise told(ProviderUnavailable(f"provider {self.id} cannot be reached"), note) from error
        except (ollama.ResponseError, ValueError) as error:
            note = f"Ollama at {self._host} answered with an error: {error}"
            raise told(ProviderFailed(f"provider {self.id} answered with an error"), note) from error
        self._described = {(model.id, digest): model for model, digest in found}
        return [model for model, _ in found]

    async def _describe(self, client: Any, name: str, digest: str, gate: asyncio.Semaphore) -> tuple[UpstreamModel, str]:
        """What `show` says of a model; asked again only when its digest changes."""
        known = self._described.get((name, digest))
        if known is not None:
            return known, digest
        async with gate:
            shown = await client.show(name)
        info = cast("Mapping[str, Any]", shown.modelinfo or {})
        capabilities = tuple(str(entry) for entry in cast("list[object]", shown.capabilities or []))
        context = next((length for key, value in info.items() if key.endswith(".context_length") and (length := positive(value))), None)
        model = UpstreamModel(id=name, kind=_kind(name, capabilities), context_length=context, capabilities=capabilities)
        return model, digest

    def limit_name(self, asked: Mapping[str, Any]) -> str:
        return "max_tokens"


def _kind(name: str, capabilities: tuple[str, ...]) -> Kind:
    if not capabilities:
        return kind_of(name)
    return "embedding" if "embedding" in capabilities and "completion" not in capabilities else "chat"
