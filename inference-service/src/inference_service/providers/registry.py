"""Builds the configured providers, in the order in which they win a model id that several serve."""

from dataclasses import replace

from inference_service.providers.adapters.embed_worker import EmbedWorkerProvider
from inference_service.providers.adapters.llama_cpp import LlamaCppProvider
from inference_service.providers.adapters.ollama import OllamaOptions, OllamaProvider
from inference_service.providers.adapters.openai_compatible import OpenAICompatibleProvider
from inference_service.providers.local_status import LocalModelStatus
from inference_service.providers.protocol import Provider
from inference_service.providers.transport import Remote, Transport
from inference_service.settings import InferenceSettings

DISCOVERY_TIMEOUT_S = 10.0


def build_providers(
    settings: InferenceSettings, transport: Transport, embed_worker: EmbedWorkerProvider
) -> list[Provider]:
    """Built-in models first, then OpenAI-compatible servers, then Ollama, each in the order of its
    setting.
    """
    return [
        *_builtin(settings, transport, embed_worker),
        *_openai(settings, transport),
        *_ollama(settings, transport),
    ]


def _builtin(
    settings: InferenceSettings, transport: Transport, embed_worker: EmbedWorkerProvider
) -> list[Provider]:
    providers: list[Provider] = []
    if settings.local_model_url is not None:
        key, url = settings.local_model_api_key, settings.local_model_url
        remote = Remote.of(url, api_key=key, provider="local", setting="LOCAL_MODEL_API_KEY")
        remote = replace(remote, token_timeout_s=settings.local_model_token_timeout_s)
        status = LocalModelStatus(settings.local_model_status_path, default_model=settings.local_model_id)
        providers.append(LlamaCppProvider(remote, transport, status))
    if settings.embedding_model_path is not None:
        providers.append(embed_worker)
    return providers


def _openai(settings: InferenceSettings, transport: Transport) -> list[Provider]:
    providers: list[Provider] = []
    for place, endpoint in enumerate(settings.openai_endpoints(), start=1):
        name = f"openai-{place}"
        remote = Remote.of(
            endpoint.base_url, api_key=endpoint.api_key, provider=name, setting=endpoint.setting
        )
        providers.append(
            OpenAICompatibleProvider(name, remote, transport, person_members=settings.person_members())
        )
    return providers


def _ollama(settings: InferenceSettings, transport: Transport) -> list[Provider]:
    providers: list[Provider] = []
    for place, endpoint in enumerate(settings.ollama_endpoints(), start=1):
        name = f"ollama-{place}"
        remote = Remote.of(f"{endpoint.base_url}/v1", api_key=None, provider=name, setting=endpoint.setting)
        root = Remote.of(endpoint.base_url, api_key=None, provider=name, setting=endpoint.setting)
        options = OllamaOptions(endpoint.base_url, DISCOVERY_TIMEOUT_S, settings.ollama_context_tokens)
        providers.append(OllamaProvider(name, remote, transport, root=root, options=options))
    return providers
