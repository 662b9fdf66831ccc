"""The ways in which providers fail, and what is known of a failure."""

from dataclasses import dataclass

from shared.errors import (
    BadRequest,
    NotFound,
    TooManyRequests,
    Unavailable,
    UpstreamFailed,
    UpstreamTimedOut,
)


class ProviderAuthFailed(UpstreamFailed):
    """The provider refused our key."""

    code = "provider_auth_failed"


class ProviderFailed(UpstreamFailed):
    """The provider answered with an error of its own or something that is not an answer."""

    code = "provider_error"


class ProviderTimedOut(UpstreamTimedOut):
    """The provider took too long."""

    code = "provider_timeout"


class AnswerTimedOut(ProviderTimedOut):
    """The request was sent and no answer came; the provider may bill it."""


class AnswerBroken(ProviderFailed):
    """The request was sent and what came back is no answer; the provider may bill it."""


# After these the provider has had the request, and no refusal of its own says that it will not bill it.
MAY_BE_BILLED = (AnswerTimedOut, AnswerBroken)


class ProviderUnavailable(Unavailable):
    """The provider cannot be reached or is overloaded."""

    code = "provider_unavailable"


class ProviderRateLimited(TooManyRequests):
    """The provider's own limit, not ours."""

    code = "provider_rate_limited"


class ProviderOutOfCredit(UpstreamFailed):
    """The operator's account at the provider is used up; waiting does not help."""

    code = "provider_quota_exhausted"


class ProviderRefused(BadRequest):
    """The provider says that the request itself is wrong."""

    code = "provider_refused_request"


class ContextTooLong(BadRequest):
    """The input does not fit the model's window."""

    code = "context_length_exceeded"


class ContentNotSupported(BadRequest):
    """The model reads only text."""

    code = "unsupported_content"


class ModelGone(NotFound):
    """The provider no longer serves the model."""

    code = "model_not_found"


class ModelLoading(Unavailable):
    """A built-in model is being fetched or started; `extra.progress` says how far it is."""

    code = "model_loading"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who failed, for messages. `setting` is the variable that holds its key."""

    provider: str
    address: str
    setting: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal of a provider, read. `code` is its own word for it."""

    status: int
    message: str
    retry_after_s: int | None
    code: str = ""
