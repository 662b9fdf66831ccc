"""What every provider can do, whatever its wire format."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from shared.fair_queue import Priority

from inference_service.metering.usage import Usage

Kind = Literal["chat", "embedding"]
Status = Literal["ready", "loading", "down"]
ContextSource = Literal["provider", "setting", "table", "default"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UpstreamModel:
    """A model under the name its provider gives it. None: the provider does not say."""

    id: str
    kind: Kind = "chat"
    name: str | None = None
    context_length: int | None = None
    context_source: ContextSource = "provider"
    output_tokens_max: int | None = None
    capabilities: tuple[str, ...] = ()
    builtin: bool = False
    starter: bool = False
    created: int | None = None  # unix seconds


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a provider can answer now. `progress` is the download or start of a built-in model."""

    status: Status
    detail: str | None = None
    progress: Json | None = None


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that could not reach its provider; `at_s` of time.monotonic()."""

    detail: str
    at_s: float


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed; `dimensions` only for models that can shorten their vectors."""

    model: str
    texts: list[str]
    encoding: Literal["float", "base64"]
    dimensions: int | None = None
    traceparent: bytes | None = None
    owner: UUID | None = None  # whose turn it takes where turns are taken
    priority: Priority = "background"


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """`data` as OpenAI's list of embedding objects; `usage` None when the provider reported none."""

    data: list[Json] = field(repr=False)
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class ChatCall:
    """One chat completion for a provider: what of the client's body it is sent, still under the client's
    names.

    `person` is who asks, as this provider may know it (providers/pseudonyms.py).
    """

    body: Json = field(repr=False)
    model: str
    output_tokens_max: int
    stream: bool
    traceparent: bytes | None = None
    choices: int = 1
    person: str = ""
    cache_key: str | None = None  # the client's own word for it
    context_tokens: int | None = None  # the model's window, where the server has to be told


class ProviderResponse(Protocol):
    """An answer with status 200 while it is open; shared.http.UpstreamResponse is one. Both raise
    UpstreamError.
    """

    async def next_chunk(self) -> bytes:
        """What came with one read; b"" at the end."""
        ...

    async def read(self, size_max: int) -> bytes:
        """The rest of the body. Raises: ResponseTooLarge."""
        ...


class Provider(Protocol):
    """A source of models. Methods raise the errors of providers/errors.py, never those of a transport."""

    @property
    def id(self) -> str:
        """Short name, unique among the configured providers: the prefix of a model id that two of
        them serve.
        """
        ...

    @property
    def kind(self) -> str:
        """The kind of server, for the list of providers."""
        ...

    @property
    def address(self) -> str:
        """Where it answers, without credentials."""
        ...

    def readiness(self) -> Readiness | None:
        """What the provider itself knows of its state; None: as the last discovery found it."""
        ...

    def failure(self) -> CallFailure | None:
        """The last call that could not reach it; None once one has since."""
        ...

    async def list_models(self) -> list[UpstreamModel]:
        """What it serves now. Raises: ProviderError."""
        ...

    def open_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        """Send the call; the block gets a response with status 200, whose body is OpenAI's JSON or event
        stream.

        Leaving the block before the end cancels the work. Entering raises: ProviderError.
        """
        ...

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        """Raises: ProviderError."""
        ...

    async def count_input_tokens(self, call: ChatCall) -> int | None:
        """Tokens of the input by the provider's own tokenizer; None where asking is not cheap or fails."""
        ...
