"""Settings of the inference-service; see docs/settings for all of them on one page."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from shared.settings import ServiceSettings, built_in_embedding_model

from inference_service.known_windows import Window, parse_windows
from inference_service.members import KINDS, PERSON_MEMBERS, Members, members_of, parse_extra

SCHEMA_VERSION = 2
_OPENAI_BASE_URL = "https://api.openai.com/v1"
_CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One configured provider address; `setting` names the variable an operator edits when its key
    is wrong.
    """

    base_url: str
    api_key: SecretStr | None
    setting: str


def split_list(value: str) -> list[str]:
    """Entries of a semicolon list; empty ones keep their place, so that keys line up with addresses."""
    return [entry.strip() for entry in value.split(";")] if value.strip() else []


def http_url(value: str) -> str:
    """`value` without a trailing slash. Raises: ValueError when it is not an http(s) address."""
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is not an http:// or https:// address")
    return value.rstrip("/")


class InferenceSettings(ServiceSettings):
    """Where models come from, and the limits of a request."""

    service: ClassVar[str] = "inference-service"

    port: int = Field(default=8001, ge=0, le=65535, description="port the service binds")

    local_model_url: str | None = Field(
        default="http://127.0.0.1:8011", description="the built-in model server; `off`: none"
    )
    local_model_api_key: SecretStr | None = Field(
        default=None, description="key of the built-in model server"
    )
    local_model_status_path: Path | None = Field(
        default=None, description="file in which the supervisor reports its progress"
    )
    local_model_token_timeout_s: float = Field(
        default=600,
        gt=0,
        description="time-out to each token of the built-in model, which reads long prompts slowly",
    )
    local_model_id: str = Field(
        default="qwen2.5-coder-0.5b-instruct", max_length=200, description="name of the built-in chat model"
    )

    enable_ollama_api: bool | None = Field(
        default=None, description="use Ollama servers; unset: when OLLAMA_BASE_URLS is set"
    )
    ollama_base_urls: str = Field(
        default="",
        validation_alias=AliasChoices("OLLAMA_BASE_URLS", "OLLAMA_BASE_URL", "ollama_base_urls"),
        description="Ollama servers, separated by semicolons",
    )
    ollama_context_tokens: int = Field(
        default=8192,
        ge=512,
        le=20_000_000,
        description=(
            "window of Ollama's models, within what each was trained for; memory grows with it. A "
            "Modelfile's num_ctx wins"
        ),
    )
    enable_openai_api: bool | None = Field(
        default=None, description="use OpenAI-compatible servers; unset: when an address or key is set"
    )
    openai_api_base_urls: str = Field(
        default="", description="OpenAI-compatible servers with their /v1, separated by semicolons"
    )
    openai_api_keys: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("OPENAI_API_KEYS", "OPENAI_API_KEY", "openai_api_keys"),
        description="their keys in the same order, separated by semicolons; empty entries: no key",
    )

    model_context_lengths: str = Field(
        default="",
        description=(
            "tokens a model reads and, after a slash, answers, as `gpt-x=200000/16000;openai-2/llama=32768`"
        ),
    )
    context_tokens_default: int = Field(
        default=128_000,
        ge=1024,
        le=20_000_000,
        description="tokens a model reads when neither its provider nor its name tells",
    )
    provider_extra_parameters: str = Field(
        default="",
        description=(
            "request members that are passed on besides the listed ones, as "
            "`openai:service_tier;openai:messages.content.cache_control`; "
            "kinds are openai, ollama and llama.cpp. What is listed here may cost more than the price list "
            "knows"
        ),
    )
    provider_person_members: str = Field(
        default="user;prompt_cache_key",
        description=(
            "members that tell OpenAI-compatible servers who asks, as a keyed hash: of user,"
            " prompt_cache_key, safety_identifier, cache_salt; `off`: none"
        ),
    )
    drain_provider_kinds: str = Field(
        default="",
        description=(
            "kinds of provider whose answers are read to the end after the client has left, so that the"
            " charge is what they report: openai, ollama, llama.cpp, separated by semicolons; others are"
            " stopped at once and charged by what came"
        ),
    )

    embedding_model: str = Field(
        default="all-minilm-l6-v2", max_length=200, description="name of the built-in embedding model"
    )
    embedding_model_path: Path | None = Field(
        default=None, description="folder with its model.safetensors and tokenizer.json"
    )
    embedding_threads: int = Field(
        default=min(2, _CORES), ge=1, le=64, description="threads of the embed worker"
    )
    embedding_idle_s: float = Field(
        default=300, gt=0, description="the embed worker stops after this many idle seconds"
    )

    discovery_interval_s: float = Field(
        default=60, gt=0, description="seconds between looks at what each provider serves"
    )
    connect_timeout_s: float = Field(default=5, gt=0, description="time-out to connect to a provider")
    first_token_timeout_s: float = Field(
        default=300, gt=0, description="time-out to the first byte of a streamed answer"
    )
    answer_timeout_s: float = Field(
        default=600, gt=0, description="time-out to the end of an answer that is not streamed"
    )
    token_timeout_s: float = Field(
        default=120, gt=0, description="time-out between two pieces of a streamed answer"
    )
    stream_timeout_s: float = Field(
        default=3600,
        gt=0,
        description="time-out to the end of a streamed answer, however steadily its pieces come",
    )
    billing_timeout_s: float = Field(
        default=5, gt=0, description="time-out of one call to the billing-service"
    )

    refused_settlement_keep_days: int = Field(
        default=400,
        ge=30,
        description="days a settlement is kept for an operator that the billing-service refused for good",
    )

    request_bytes_max: int = Field(default=16 * 1024 * 1024, ge=1024, description="largest request body")
    free_model_parallel_max: int = Field(
        default=4, ge=1, le=1000, description="answers of free models one person gets at once"
    )
    free_model_per_minute_max: int = Field(
        default=60, ge=1, le=100_000, description="answers of free models one person gets in a minute"
    )
    messages_max: int = Field(default=4096, ge=1, description="most messages in one request")
    choices_max: int = Field(default=8, ge=1, le=128, description="largest n of one request")
    output_tokens_default: int = Field(
        default=4096,
        ge=1,
        description=(
            "answer length when the request names none; what it names holds up to what the model can do"
        ),
    )
    embedding_inputs_max: int = Field(default=2048, ge=1, description="most texts in one embeddings request")

    @field_validator("embedding_model")
    @classmethod
    def _is_the_built_in(cls, value: str) -> str:
        return built_in_embedding_model(value)

    @field_validator("local_model_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        # An empty variable counts as unset, so switching the built-in server off has a word of its own.
        return None if value in ("", "off") else value

    @model_validator(mode="after")
    def _lists_make_sense(self) -> Self:
        if self.local_model_url is not None:
            http_url(self.local_model_url)
        if self.enable_ollama_api and not split_list(self.ollama_base_urls):
            raise ValueError("OLLAMA_BASE_URLS is empty; set it or ENABLE_OLLAMA_API=false")
        self.ollama_endpoints()
        self.openai_endpoints()
        self.model_windows()
        self.chat_members()
        self.person_members()
        self.drain_kinds()
        return self

    def model_windows(self) -> dict[str, Window]:
        """The windows an operator set, by name in lower case."""
        try:
            return parse_windows(self.model_context_lengths)
        except ValueError as error:
            raise ValueError(f"MODEL_CONTEXT_LENGTHS: {error}") from None

    def chat_members(self) -> dict[str, Members]:
        """The members of a chat request by kind of provider."""
        try:
            extra = parse_extra(self.provider_extra_parameters)
        except ValueError as error:
            raise ValueError(f"PROVIDER_EXTRA_PARAMETERS: {error}") from None
        return {kind: members_of(kind, names) for kind, names in extra.items()}

    def person_members(self) -> frozenset[str]:
        """The members that tell a provider who asks."""
        names = frozenset(
            name for name in split_list(self.provider_person_members) if name not in {"", "off"}
        )
        if unknown := names - PERSON_MEMBERS:
            raise ValueError(
                f"PROVIDER_PERSON_MEMBERS holds {', '.join(sorted(unknown))}; known: "
                f"{', '.join(sorted(PERSON_MEMBERS))}"
            )
        return names

    def drain_kinds(self) -> frozenset[str]:
        """The kinds of provider that are heard to the end."""
        kinds = frozenset(filter(None, split_list(self.drain_provider_kinds)))
        if unknown := kinds - frozenset(KINDS):
            raise ValueError(
                f"DRAIN_PROVIDER_KINDS holds {', '.join(sorted(unknown))}; known are {', '.join(KINDS)}"
            )
        return kinds

    def ollama_endpoints(self) -> list[Endpoint]:
        """The Ollama servers to use; none when switched off."""
        if self.enable_ollama_api is False:
            return []
        return [
            Endpoint(http_url(url), None, "OLLAMA_BASE_URLS")
            for url in split_list(self.ollama_base_urls)
            if url
        ]

    def openai_endpoints(self) -> list[Endpoint]:
        """The OpenAI-compatible servers to use, each with its key; OpenAI itself when there is only a key."""
        if self.enable_openai_api is False:
            return []
        keys = split_list(self.openai_api_keys.get_secret_value())
        urls = split_list(self.openai_api_base_urls)
        if not urls and (keys or self.enable_openai_api):
            urls = [_OPENAI_BASE_URL]
        if len(keys) > len(urls):
            raise ValueError(
                "OPENAI_API_KEYS has more entries than OPENAI_API_BASE_URLS; give each key its address"
            )
        padded = keys + [""] * (len(urls) - len(keys))
        named = [
            (url, key, f"OPENAI_API_KEYS (entry {place})")
            for place, (url, key) in enumerate(zip(urls, padded, strict=True), start=1)
        ]
        return [
            Endpoint(http_url(url), SecretStr(key) if key else None, setting)
            for url, key, setting in named
            if url
        ]
