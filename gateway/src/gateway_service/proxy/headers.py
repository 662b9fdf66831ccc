"""What crosses the edge in either direction: the header rules of the proxy, without I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from shared.errors import AppError, BadRequest
from shared.http import HOP_BY_HOP, RawHeaders

# Set by the proxy itself, or meant for the edge alone. A client that sends them is not believed.
_NOT_FORWARDED = HOP_BY_HOP | {
    b"host", b"expect", b"content-length", b"authorization", b"x-api-key", b"cookie", b"forwarded",
    b"x-real-ip", b"x-request-id",
    b"traceparent",
}  # fmt: skip
_READ_TOO = frozenset({b"accept", b"accept-encoding", b"origin", b"access-control-request-method"})
_SPOOFABLE = (b"x-atrium-", b"x-forwarded-")
# uvicorn writes date; cookies belong to the gateway's own sign-in routes; the edge answers for CORS.
_NOT_RETURNED = HOP_BY_HOP | {
    b"date", b"server", b"set-cookie", b"x-request-id", b"access-control-allow-origin",
    b"access-control-allow-credentials",
    b"x-content-type-options",
}  # fmt: skip


_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OUTAGES = frozenset({502, 503, 504})
RETRY_SOON = (b"retry-after", b"2")

FIELDS_MAX = 100
SIZE_MAX = 32 * 1024
"""Bytes of all names and values. The server below collects them without a bound of its own."""


class HeadersTooLarge(AppError):
    """More header fields than any honest client sends."""

    status, code, title = 431, "headers_too_large", "Request header fields too large"


@dataclass(slots=True)
class RequestHeaders:
    """The fields of a request sorted by who they are for. `forwarded` is passed on; the rest is for the
    proxy.
    """

    forwarded: RawHeaders
    credential: bytes | None = None
    api_key: bytes | None = None
    content_length: bytes | None = None
    host: bytes = b""
    origin: bytes | None = None
    accept: bytes = b""
    accept_encoding: bytes = b""
    forwarded_for: bytes | None = None
    forwarded_proto: bytes | None = None
    request_id: bytes | None = None
    traceparent: bytes | None = None
    preflight_method: bytes | None = None
    upgrade: bool = False
    chunked: bool = False


def sort_request_headers(headers: RawHeaders) -> RequestHeaders:
    """Raises HeadersTooLarge, and BadRequest when a field that decides identity or framing comes twice."""
    sorted_ = RequestHeaders(forwarded=[])
    named: bytes | None = None
    size = 0
    forwarded = sorted_.forwarded
    for item in headers:
        name, value = item
        size += len(name) + len(value)
        note = _note_for(name)
        if note is _forward:
            forwarded.append(item)
        elif note is _claims:
            named = value if named is None else named + b"," + value
        else:
            note(sorted_, name, value)
            if name in _READ_TOO:
                forwarded.append(item)
    if size > SIZE_MAX or len(headers) > FIELDS_MAX:
        raise HeadersTooLarge(f"send at most {FIELDS_MAX} header fields and {SIZE_MAX} bytes of them")
    if named is not None:
        sorted_.forwarded = _without_named(sorted_.forwarded, named)
    if sorted_.chunked and sorted_.content_length is not None:
        raise BadRequest("a request has either content-length or transfer-encoding", code="ambiguous_framing")
    return sorted_


def _forward(_sorted: RequestHeaders, _name: bytes, _value: bytes) -> None:
    """Marks a field that is passed on and that nobody here reads."""


def _claims(_sorted: RequestHeaders, _name: bytes, _value: bytes) -> None:
    """Marks the field that names fields of this hop."""


@lru_cache(maxsize=512)
def _note_for(name: bytes) -> Callable[[RequestHeaders, bytes, bytes], None]:
    """What is done with a field; the same few names come again and again."""
    if name == b"connection":
        return _claims
    if name in _NOT_FORWARDED:
        return _note
    if name.startswith(_SPOOFABLE) or b"_" in name:
        return _note_of_proxy
    return _note_read if name in _READ_TOO else _forward


def _note(sorted_: RequestHeaders, name: bytes, value: bytes) -> None:
    match name:
        case b"host":
            if sorted_.host:
                raise BadRequest("the host header comes twice; send it once", code="ambiguous_host")
            sorted_.host = value
        case b"authorization":
            if sorted_.credential is not None:
                raise BadRequest("the authorization header comes twice; send it once")
            sorted_.credential = value
        case b"x-api-key":
            sorted_.api_key = value
        case b"content-length":
            if sorted_.content_length is not None or not value.isdigit():
                raise BadRequest("content-length must be given once, as digits", code="ambiguous_framing")
            sorted_.content_length = value
        case b"transfer-encoding":
            sorted_.chunked = True
        case b"x-request-id":
            sorted_.request_id = value
        case b"traceparent":
            sorted_.traceparent = value
        case b"upgrade":
            sorted_.upgrade = True
        case _:
            pass


def _note_read(sorted_: RequestHeaders, name: bytes, value: bytes) -> None:
    if name == b"accept":
        sorted_.accept = value
    elif name == b"accept-encoding":
        sorted_.accept_encoding = value
    elif name == b"origin":
        sorted_.origin = value
    else:
        sorted_.preflight_method = value


def _note_of_proxy(sorted_: RequestHeaders, name: bytes, value: bytes) -> None:
    if name == b"x-forwarded-for":
        sorted_.forwarded_for = (
            value if sorted_.forwarded_for is None else sorted_.forwarded_for + b"," + value
        )
    elif name == b"x-forwarded-proto":
        sorted_.forwarded_proto = value


def _without_named(headers: RawHeaders, connection: bytes) -> RawHeaders:
    """The fields that the Connection field does not claim for its own hop."""
    if connection in {b"keep-alive", b"close"}:
        return headers
    dropped = {token.strip().lower() for token in connection.split(b",")}
    return [item for item in headers if item[0] not in dropped]


def event_stream_headers(headers: RawHeaders) -> RawHeaders:
    """No proxy on the way may hold events back to compress them."""
    kept = [item for item in headers if item[0] not in {b"cache-control", b"x-accel-buffering"}]
    return [*kept, (b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no")]


def bearer_credential(sorted_: RequestHeaders) -> bytes | None:
    """The token or key of the request: Authorization: Bearer, else x-api-key."""
    value = sorted_.credential
    if value is None:
        return sorted_.api_key
    if value[:7] == b"Bearer " or value[:7].lower() == b"bearer ":
        return value[7:].strip() or None
    return None


def response_headers(headers: RawHeaders, *, status: int, origin: bytes) -> tuple[RawHeaders, bool]:
    """What of the answer of the service at `origin` reaches the client, and whether it is a stream
    of events.
    """
    kept: RawHeaders = []
    named: bytes | None = None
    events = False
    for item in headers:
        name = item[0]
        if name not in _NOT_RETURNED:
            kept.append(item)
            if name == b"content-type":
                events = item[1].startswith(b"text/event-stream")
        elif name == b"connection":
            named = item[1] if named is None else named + b"," + item[1]
    if named is not None:
        kept = _without_named(kept, named)
    if status in _REDIRECTS:  # the service names itself by an address that only this process can reach
        kept = [
            (name, value.removeprefix(origin)) if name == b"location" else (name, value)
            for name, value in kept
        ]
    elif status in _OUTAGES and not any(name == b"retry-after" for name, _ in kept):
        kept.append(RETRY_SOON)
    if status in {204, 304}:  # no body follows, and uvicorn holds the length against us
        kept = [item for item in kept if item[0] != b"content-length"]
    return (event_stream_headers(kept) if events else kept), events
