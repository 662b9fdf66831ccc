"""Ollama servers: described through the official client, asked to chat in their own format, to embed through
their /v1.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from inference_service.members import within
from inference_service.providers.adapters.openai_compatible import OpenAICompatibleProvider, kind_of, positive
from inference_service.providers.errors import ProviderFailed, ProviderUnavailable
from inference_service.providers.failures import told
from inference_service.providers.ollama_wire import Translated, chat_request
from inference_service.providers.protocol import ChatCall, Kind, ProviderResponse, UpstreamModel
from inference_service.providers.transport import Remote, Transport

_MODELS_MAX = 256
_SHOW_PARALLEL_MAX = 4
_NUM_CTX = re.compile(r"^num_ctx\s+([1-9][0-9]{0,7})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OllamaOptions:
    """`context_tokens` holds for models whose own file names no window."""

    host: str
    timeout_s: float
    context_tokens: int


class OllamaProvider(OpenAICompatibleProvider):
    """`remote` is the server's /v1; `root` the server itself. Its /v1 cannot be told a window and cuts
    silently at its own.
    """

    kind = "ollama"

    def __init__(
        self, provider_id: str, remote: Remote, transport: Transport, *, root: Remote, options: OllamaOptions
    ) -> None:
        super().__init__(provider_id, remote, transport)
        self._root = root
        self._host = options.host
        self._timeout_s = options.timeout_s
        self._context_tokens = options.context_tokens
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
            found = await asyncio.gather(
                *(self._describe(client, name, digest, gate) for name, digest in named)
            )
        except (ConnectionError, httpx.TransportError) as error:
            note = f"Ollama does not answer at {self._host}; start it or correct OLLAMA_BASE_URLS"
            raise told(ProviderUnavailable(f"provider {self.id} cannot be reached"), note) from error
        except (ollama.ResponseError, ValueError) as error:
            note = f"Ollama at {self._host} answered with an error: {error}"
            raise told(ProviderFailed(f"provider {self.id} answered with an error"), note) from error
        self._described = {(model.id, digest): model for model, digest in found}
        return [model for model, _ in found]

    async def _describe(
        self, client: Any, name: str, digest: str, gate: asyncio.Semaphore
    ) -> tuple[UpstreamModel, str]:
        """What `show` says of a model; asked again only when its digest changes."""
        known = self._described.get((name, digest))
        if known is not None:
            return known, digest
        async with gate:
            shown = await client.show(name)
        info = cast("Mapping[str, Any]", shown.modelinfo or {})
        capabilities = tuple(str(entry) for entry in cast("list[object]", shown.capabilities or []))
        trained = next(
            (
                length
                for key, value in info.items()
                if key.endswith(".context_length") and (length := positive(value))
            ),
            None,
        )
        kind = _kind(name, capabilities)
        context = trained if kind == "embedding" else self._window(trained, shown.parameters)
        model = UpstreamModel(id=name, kind=kind, context_length=context, capabilities=capabilities)
        return model, digest

    def _window(self, trained: int | None, parameters: str | None) -> int:
        """What is asked for as num_ctx: the Modelfile's, else the setting, within what the weights were
        trained for.
        """
        named = _NUM_CTX.search(parameters or "")
        wanted = int(named.group(1)) if named else self._context_tokens
        return min(wanted, trained or wanted)

    def send_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        return self._translated(call)

    @asynccontextmanager
    async def _translated(self, call: ChatCall) -> AsyncGenerator[ProviderResponse]:
        call = replace(
            call, body=within(call.body, output_tokens=call.output_tokens_max, choices=call.choices)
        )
        body = orjson.dumps(chat_request(call, context_tokens=call.context_tokens or self._context_tokens))
        async with self.transport.open(
            self._root, b"/api/chat", body, stream=call.stream, traceparent=call.traceparent
        ) as response:
            yield Translated(response, call)


def _kind(name: str, capabilities: tuple[str, ...]) -> Kind:
    if not capabilities:
        return kind_of(name)
    return "embedding" if "embedding" in capabilities and "completion" not in capabilities else "chat"
