"""How providers fail, in words that tell the reader what to do, and the mapping from their HTTP statuses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from shared.errors import AppError, BadRequest, NotFound, TooManyRequests, Unavailable, UpstreamFailed, UpstreamTimedOut
from shared.http import UpstreamBusy, UpstreamConnectError, UpstreamError, UpstreamTimeout

_MESSAGE_CHARS_MAX = 500


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


class ProviderRefused(BadRequest):
    """The provider says that the request itself is wrong."""

    code = "provider_refused_request"


class ContextTooLong(BadRequest):
    """The input does not fit the model's window."""

    code = "context_length_exceeded"


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
    """A refusal of a provider, read."""

    status: int
    message: str
    retry_after_s: int | None


def _says(answer: Answer) -> str:
    return f": {answer.message}" if answer.message else ""


def _auth_failed(origin: Origin, answer: Answer) -> AppError:
    # The provider's own text is left out: some repeat the key they were sent.
    return ProviderAuthFailed(
        f"provider {origin.provider} at {origin.address} refused our credentials (status {answer.status}); "
        f"an operator must correct its key in {origin.setting}",
        extra={"provider": origin.provider, "setting": origin.setting},
    )


def _bad_request(origin: Origin, answer: Answer) -> AppError:
    lower = answer.message.lower()
    if "context" in lower and any(word in lower for word in ("length", "size", "window", "exceed")):
        return ContextTooLong(f"the input does not fit the model{_says(answer)}", extra={"param": "messages"})
    return ProviderRefused(f"provider {origin.provider} refused the request{_says(answer)}", extra={"provider": origin.provider})


def _missing(origin: Origin, answer: Answer) -> AppError:
    return ModelGone(f"provider {origin.provider} does not serve this model now{_says(answer)}", extra={"param": "model"})


def _rate_limited(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} limits our requests; wait and try again{_says(answer)}"
    return ProviderRateLimited(text, retry_after_s=answer.retry_after_s or 5, extra={"provider": origin.provider})


def _timed_out(origin: Origin, answer: Answer) -> AppError:
    return ProviderTimedOut(f"provider {origin.provider} timed out{_says(answer)}", extra={"provider": origin.provider})


def _overloaded(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} is not available now{_says(answer)}"
    return ProviderUnavailable(text, retry_after_s=answer.retry_after_s or 5, extra={"provider": origin.provider})


def _failed(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} failed with status {answer.status}{_says(answer)}"
    return ProviderFailed(text, extra={"provider": origin.provider})


_BY_STATUS: Mapping[int, Callable[[Origin, Answer], AppError]] = {
    400: _bad_request,
    401: _auth_failed,
    403: _auth_failed,
    404: _missing,
    408: _timed_out,
    413: _bad_request,
    422: _bad_request,
    429: _rate_limited,
    503: _overloaded,
    504: _timed_out,
    529: _overloaded,
}


def error_of_status(origin: Origin, answer: Answer) -> AppError:
    """What a non-200 answer of a provider means for the client."""
    return _BY_STATUS.get(answer.status, _failed)(origin, answer)


def error_of_transport(origin: Origin, error: UpstreamError) -> AppError:
    """What a failed exchange with a provider means for the client."""
    extra = {"provider": origin.provider}
    if isinstance(error, UpstreamTimeout) and error.phase not in {"queue", "connect"}:
        waited = "the first token" if error.phase == "first_byte" else "the next token"
        return AnswerTimedOut(f"provider {origin.provider} at {origin.address} took too long to send {waited}", extra=extra)
    if isinstance(error, UpstreamBusy):
        return ProviderUnavailable(f"too many requests to provider {origin.provider} are waiting; try again", extra=extra)
    if isinstance(error, UpstreamConnectError | UpstreamTimeout):
        text = f"provider {origin.provider} cannot be reached at {origin.address}; check that it runs and that its address is right"
        return ProviderUnavailable(text, extra=extra)
    return AnswerBroken(f"provider {origin.provider} at {origin.address} broke off its answer", extra=extra)


def message_of(body: bytes | object) -> str:
    """The human text of a provider's error body, cut to a bound; "" when it has none."""
    try:
        parsed: object = orjson.loads(body) if isinstance(body, bytes) else body
    except orjson.JSONDecodeError:
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(parsed, dict) and name in parsed:
            parsed = cast("dict[str, Any]", parsed)[name]
    return parsed[:_MESSAGE_CHARS_MAX] if isinstance(parsed, str) else ""
