"""The error tree of the suite and its two renderings: RFC 9457 problem+json and OpenAI's envelope."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson

Headers = list[tuple[bytes, bytes]]
Rendered = tuple[int, Headers, bytes]


class AppError(Exception):
    """An expected failure. `detail` tells the reader what to do; `extra` joins the body; secrets go in
    neither.

    `operator_detail` names what only operators may know, such as an internal address: for logs and
    administrators.
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"
    title: ClassVar[str] = "Internal error"
    operator_detail: str = ""

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        self.errors = list(errors or [])


class BadRequest(AppError):
    status, code, title = 400, "bad_request", "Bad request"


class Unauthenticated(AppError):
    status, code, title = 401, "unauthenticated", "Sign in first"


class PaymentRequired(AppError):
    status, code, title = 402, "payment_required", "Payment required"


class Forbidden(AppError):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(AppError):
    status, code, title = 404, "not_found", "Not found"


class Conflict(AppError):
    status, code, title = 409, "conflict", "Conflict"


class PayloadTooLarge(AppError):
    status, code, title = 413, "payload_too_large", "Payload too large"


class UnsupportedMediaType(AppError):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class Invalid(AppError):
    status, code, title = 422, "invalid", "Invalid input"


class TooManyRequests(AppError):
    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(self, detail: str, *, retry_after_s: int | None = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, retry_after_s))


class UpstreamFailed(AppError):
    status, code, title = 502, "upstream_failed", "An upstream failed"

    def __init__(self, detail: str, *, retry_after_s: int = 5, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers["Retry-After"] = str(max(1, retry_after_s))


class Unavailable(AppError):
    status, code, title = 503, "unavailable", "Unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 5, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers["Retry-After"] = str(max(1, retry_after_s))


class UpstreamTimedOut(AppError):
    status, code, title = 504, "upstream_timeout", "An upstream did not answer in time"

    def __init__(self, detail: str, *, retry_after_s: int = 5, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers["Retry-After"] = str(max(1, retry_after_s))


_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def _header_list(error: AppError, content_type: bytes, request_id: str) -> Headers:
    headers: Headers = [
        (b"content-type", content_type),
        (b"x-request-id", request_id.encode("latin-1")),
        (b"cache-control", b"no-store"),
    ]
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()
    ]
    if error.status == 401 and "WWW-Authenticate" not in error.headers:
        headers.append((b"www-authenticate", b'Bearer realm="atrium"'))
    return headers


def problem_body(error: AppError, *, request_id: str, instance: str) -> dict[str, Any]:
    """The members of a problem+json body; `extra` never overwrites the standard ones."""
    return {
        **error.extra,
        "type": f"urn:atrium:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": error.errors,
    }


def render_problem(error: AppError, *, request_id: str, instance: str) -> Rendered:
    """Status, headers and body of RFC 9457 problem+json."""
    body = orjson.dumps(problem_body(error, request_id=request_id, instance=instance), default=str)
    return error.status, _header_list(error, b"application/problem+json", request_id), body


def openai_error(error: AppError, *, request_id: str) -> dict[str, Any]:
    """OpenAI's error envelope; bad input is 400 there, so the status is mapped by the caller through
    `openai_status`.
    """
    kind = _OPENAI_TYPES.get(error.status) or (
        "invalid_request_error" if error.status < 500 else "server_error"
    )
    param = error.extra.get("param")
    extra = {name: value for name, value in error.extra.items() if name != "param"}
    return {
        "error": {
            **extra,
            "message": error.detail,
            "type": kind,
            "param": param,
            "code": error.code,
            "request_id": request_id,
        }
    }


def openai_status(error: AppError) -> int:
    """The status `/v1` answers: OpenAI's clients expect 400 where the REST surface says 422."""
    return 400 if error.status == 422 else error.status


def render_openai(error: AppError, *, request_id: str) -> Rendered:
    """Status, headers and body of OpenAI's envelope."""
    body = orjson.dumps(openai_error(error, request_id=request_id), default=str)
    return openai_status(error), _header_list(error, b"application/json", request_id), body


def render_for_path(error: AppError, *, path: str, request_id: str) -> Rendered:
    """The rendering the client of `path` expects."""
    if path == "/v1" or path.startswith("/v1/"):
        return render_openai(error, request_id=request_id)
    return render_problem(error, request_id=request_id, instance=path)
