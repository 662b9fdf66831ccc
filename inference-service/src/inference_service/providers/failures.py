"""From what a provider answered to the error that it is, in words that tell the reader what to do.

People read which provider failed and what it said; its address and the setting to correct are for operators
(`operator_detail`).
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import orjson
from shared.errors import (
    AppError,
)
from shared.http import UpstreamBusy, UpstreamConnectError, UpstreamError, UpstreamTimeout
from shared.surrogates import mended, parse_json

from inference_service.providers.errors import (
    Answer,
    AnswerBroken,
    AnswerTimedOut,
    ContentNotSupported,
    ContextTooLong,
    ModelGone,
    Origin,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderOutOfCredit,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimedOut,
    ProviderUnavailable,
)

log = logging.getLogger(__name__)

_MESSAGE_CHARS_MAX = 500
_CODE_CHARS_MAX = 100
_RETRY_AFTER_S = 5
_RETRY_AFTER_NO_CREDIT_S = 3600

_CONTEXT = re.compile(
    r"context.{0,20}(length|size|window|limit)|maximum context|exceeds? (the )?(available )?context"
    r"|(prompt|input|request).{0,20}too (long|large)|too many (input )?tokens"
    r"|reduce the length|input (tokens|length).{0,20}exceed",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"(image|vision|multi-?modal|mmproj)", re.IGNORECASE)
_NOT_SUPPORTED = re.compile(
    r"no endpoints found that support"
    r"|not? (currently )?(support|accept|allow|able|a multi)|unsupported|cannot|can't"
    r"|does ?n[o']t|only text|must be (a )?string|mmproj",
    re.IGNORECASE,
)
_MAY_BE_IMAGES = frozenset({400, 404, 415, 422, 500})  # llama.cpp refuses an image with 500
_NO_CREDIT_CODES = frozenset(
    {
        "insufficient_quota",
        "insufficient_credits",
        "insufficient_balance",
        "billing_not_active",
        "billing_hard_limit_reached",
    }
)
_NO_CREDIT = re.compile(
    r"exceeded your current quota|insufficient (quota|balance|credit|fund)"
    r"|(credit|balance) (is |are )?(too low|exhausted|used up)"
    r"|out of credit|negative balance",
    re.IGNORECASE,
)
_STATUS_BY_CODE: Mapping[str, int] = {
    "overloaded": 529,
    "overloaded_error": 529,
    "server_overloaded": 529,
    "unavailable": 503,
    "service_unavailable": 503,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "timeout": 504,
}


def _says(answer: Answer) -> str:
    return f": {answer.message}" if answer.message else ""


def _auth_failed(origin: Origin, answer: Answer) -> AppError:
    # The provider's own text is left out: some repeat the key they were sent.
    text = (
        f"provider {origin.provider} refused this platform's credentials; an administrator must correct them"
    )
    error = ProviderAuthFailed(text, extra={"provider": origin.provider})
    where = f"; correct its key in {origin.setting}" if origin.setting else ""
    return told(error, f"{origin.address} answered {answer.status}{where}")


def _bad_request(origin: Origin, answer: Answer) -> AppError:
    extra = {"provider": origin.provider}
    if answer.code in {"context_length_exceeded", "exceed_context_size_error"} or _CONTEXT.search(
        answer.message
    ):
        # These words are what the clients of LiteLLM and of OpenAI look for.
        text = (
            "This model's maximum context length is exceeded by the input; shorten or drop "
            f"messages{_says(answer)}"
        )
        return ContextTooLong(text, extra={"param": "messages"})
    return ProviderRefused(f"provider {origin.provider} refused the request{_says(answer)}", extra=extra)


def _missing(origin: Origin, answer: Answer) -> AppError:
    error = ModelGone(
        f"provider {origin.provider} does not serve this model now{_says(answer)}", extra={"param": "model"}
    )
    return told(error, f"{origin.address} answered 404")


def _out_of_credit(origin: Origin, answer: Answer) -> AppError:
    text = (
        f"this platform's account at provider {origin.provider} has no credit left; an administrator must "
        "top it up, "
        "and until then another model helps"
    )
    headers = {"x-should-retry": "false"}
    error = ProviderOutOfCredit(
        text, retry_after_s=_RETRY_AFTER_NO_CREDIT_S, extra={"provider": origin.provider}, headers=headers
    )
    return told(error, f"{origin.address} answered {answer.status}{_says(answer)}")


def _rate_limited(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} limits our requests; wait and try again{_says(answer)}"
    return ProviderRateLimited(
        text, retry_after_s=answer.retry_after_s or _RETRY_AFTER_S, extra={"provider": origin.provider}
    )


def _timed_out(origin: Origin, answer: Answer) -> AppError:
    return ProviderTimedOut(
        f"provider {origin.provider} timed out{_says(answer)}", extra={"provider": origin.provider}
    )


def _overloaded(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} is not available now{_says(answer)}"
    return ProviderUnavailable(
        text, retry_after_s=answer.retry_after_s or _RETRY_AFTER_S, extra={"provider": origin.provider}
    )


def _redirected(origin: Origin, answer: Answer) -> AppError:
    text = (
        f"provider {origin.provider} is not where this platform looks for it; an administrator must "
        "correct its address"
    )
    return told(
        ProviderFailed(text, extra={"provider": origin.provider}),
        f"{origin.address} answered {answer.status} and points elsewhere",
    )


def _failed(origin: Origin, answer: Answer) -> AppError:
    text = f"provider {origin.provider} failed with status {answer.status}{_says(answer)}"
    return ProviderFailed(
        text, retry_after_s=answer.retry_after_s or _RETRY_AFTER_S, extra={"provider": origin.provider}
    )


_BY_STATUS: Mapping[int, Callable[[Origin, Answer], AppError]] = {
    301: _redirected,
    302: _redirected,
    303: _redirected,
    307: _redirected,
    308: _redirected,
    400: _bad_request,
    401: _auth_failed,
    402: _out_of_credit,
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
    answer = replace(answer, message=_without_address(origin, answer.message))
    if answer.code in _NO_CREDIT_CODES or (
        answer.status in {402, 403, 429} and _NO_CREDIT.search(answer.message)
    ):
        return _out_of_credit(origin, answer)
    if (
        answer.status in _MAY_BE_IMAGES
        and _IMAGE.search(answer.message)
        and _NOT_SUPPORTED.search(answer.message)
    ):
        text = f"this model does not read images; leave them out or choose a model that does{_says(answer)}"
        return ContentNotSupported(text, extra={"param": "messages", "provider": origin.provider})
    return _BY_STATUS.get(answer.status, _failed)(origin, answer)


def error_in_answer(origin: Origin, error: Mapping[str, Any]) -> AppError:
    """What an error inside an answer with status 200 means for the client."""
    code = code_of(error)
    named = next(
        (
            value
            for name in ("code", "status", "status_code", "http_status")
            if _is_status(value := error.get(name))
        ),
        None,
    )
    status = int(str(named)) if named is not None else _STATUS_BY_CODE.get(code.lower(), 502)
    message = message_of(error)
    if named is None and status == 502:
        lower = message.lower()
        status = (
            529
            if "overloaded" in lower or "at capacity" in lower
            else 400
            if _CONTEXT.search(message)
            else 502
        )
    return error_of_status(origin, Answer(status, message, None, code))


def error_of_transport(origin: Origin, error: UpstreamError) -> AppError:
    """What a failed exchange with a provider means for the client."""
    extra = {"provider": origin.provider}
    note = f"{origin.address}: {error}"
    if isinstance(error, UpstreamTimeout) and error.phase not in {"queue", "connect"}:
        waited = "the first token" if error.phase == "first_byte" else "the next token"
        return told(
            AnswerTimedOut(f"provider {origin.provider} took too long to send {waited}", extra=extra), note
        )
    if isinstance(error, UpstreamBusy):
        return told(
            ProviderUnavailable(
                f"too many requests to provider {origin.provider} are waiting; try again", extra=extra
            ),
            note,
        )
    if isinstance(error, UpstreamConnectError | UpstreamTimeout):
        text = (
            f"provider {origin.provider} cannot be reached; try again, or tell an administrator to check "
            "that it runs"
        )
        note = f"{origin.address} cannot be reached; check that it runs and that its address is right"
        return told(ProviderUnavailable(text, extra=extra), note)
    return told(AnswerBroken(f"provider {origin.provider} broke off its answer", extra=extra), note)


def message_of(body: bytes | object) -> str:
    """The human text of a provider's error body, cut to a bound; "" when it has none."""
    parsed: object = body
    if isinstance(body, bytes):
        try:
            parsed = parse_json(body)
        except ValueError:
            return ""
    if isinstance(parsed, list):
        parsed = next(iter(cast("list[object]", parsed)), None)
    said: object = parsed
    for name in ("error", "message", "detail", "msg", "error_description", "errors"):
        if isinstance(said, dict):
            said = cast("dict[str, object]", said).get(name) or cast("object", said)
    return mended(_sentence(said)).replace("\x00", "")[:_MESSAGE_CHARS_MAX]


def code_of(body: bytes | object) -> str:
    """The provider's own short word for what went wrong; "" when it has none."""
    parsed: object = body
    if isinstance(body, bytes):
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ""
    if isinstance(parsed, dict) and isinstance(inner := cast("dict[str, Any]", parsed).get("error"), dict):
        parsed = cast("object", inner)
    if not isinstance(parsed, dict):
        return ""
    members = cast("dict[str, Any]", parsed)
    return next(
        (
            value[:_CODE_CHARS_MAX]
            for name in ("code", "type", "status")
            if isinstance(value := members.get(name), str) and value
        ),
        "",
    )


def _sentence(value: object) -> str:
    """Text, or the entries of FastAPI's list of what is wrong: where and what."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    said: list[str] = []
    for entry in cast("list[object]", value)[:5]:
        members = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {"msg": entry}
        place = members.get("loc")
        where = (
            ".".join(str(step) for step in cast("list[object]", place)[:10])
            if isinstance(place, list)
            else ""
        )
        what = members.get("msg") or members.get("message") or ""
        said.append(f"{where}: {what}" if where else str(what))
    return "; ".join(filter(None, said))


def _is_status(value: object) -> bool:
    return (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, str) and value.isdigit()))
        and 400 <= int(value) <= 599
    )


def _without_address(origin: Origin, message: str) -> str:
    """What a provider says of itself can hold where it runs."""
    host = origin.address.partition("://")[2].partition("/")[0]
    return message.replace(origin.address, "its address").replace(host, "its address") if host else message


def told(error: AppError, note: str) -> AppError:
    """`error` with what an operator must know, which is logged too."""
    error.operator_detail = note
    log.warning("provider failed", extra={"code": error.code, "detail": error.detail, "note": note})
    return error
