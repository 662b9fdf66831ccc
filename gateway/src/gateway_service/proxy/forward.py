"""Carries one authorised request to its service and the answer back, piece by piece."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from shared.errors import (
    AppError,
    BadRequest,
    PayloadTooLarge,
    Unavailable,
    UpstreamFailed,
    UpstreamTimedOut,
    openai_error,
    problem_body,
)
from shared.hotroutes import ClientGone
from shared.http import (
    InvalidRequest,
    RawHeaders,
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamError,
    UpstreamResponse,
    UpstreamTimeout,
)
from shared.sse import encode
from starlette.types import Message, Receive, Scope, Send

from gateway_service.proxy.headers import response_headers

log = logging.getLogger(__name__)


class UploadStalled(AppError):
    """The client began to send a body and stopped."""

    status, code, title = 408, "upload_stalled", "Request timed out"


class ClientConnection(Protocol):
    """What the server tells and is told about the connection of a request; see adapters/uvicorn_http.py."""

    def take_body_slowly(self) -> None: ...
    def body_at_hand(self, scope: Scope) -> bytes | None: ...
    def send_whole(self, scope: Scope, status: int, headers: RawHeaders, body: bytes) -> bool: ...
    def when_gone(self, callback: Callable[[], None] | None) -> None: ...


Rest = tuple[RawHeaders, bytes, bool]
"""The head for the client, what is here of the body, and whether that is all of it."""


class ClientWatch:
    """Cancels the request's task as soon as the client has left, in whatever phase the request is."""

    __slots__ = ("_connection", "_request", "_watching", "gone")

    def __init__(self, connection: ClientConnection, request: asyncio.Task[object]) -> None:
        self._connection = connection
        self._request = request
        self._watching = False
        self.gone = False

    def start(self) -> None:
        """To be called once the body of the request has been read."""
        self._watching = True
        self._connection.when_gone(self._left)

    def stop(self) -> None:
        """The request is over; a client that leaves no longer cancels anything."""
        if self._watching:
            self._watching = False
            self._connection.when_gone(None)

    def _left(self) -> None:
        if self._watching:
            self.gone = True
            self._request.cancel()


class RequestBody:
    """The client's body: at hand when it came in one piece, else a stream that counts what it passes on."""

    def __init__(self, receive: Receive, *, size_max: int, idle_s: float, watch: ClientWatch) -> None:
        self._receive = receive
        self._idle_s = idle_s
        self._size_max = size_max
        self._watch = watch

    async def open(self) -> bytes | AsyncIterator[bytes]:
        """Raises ClientGone, PayloadTooLarge."""
        message = await self._receive()
        piece = self._piece(message, 0)
        return self._stream(piece) if message.get("more_body", False) else piece

    async def _stream(self, piece: bytes) -> AsyncIterator[bytes]:
        size = len(piece)
        yield piece
        more = True
        while more:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._receive()
            except TimeoutError:
                raise UploadStalled(
                    f"the upload paused for more than {self._idle_s:g} s; send it again"
                ) from None
            piece = self._piece(message, size)
            size += len(piece)
            more = message.get("more_body", False)
            if not more:
                self._watch.start()
            yield piece

    def _piece(self, message: Message, size: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        if size + len(piece) > self._size_max:
            raise too_large(self._size_max)
        return piece


def too_large(size_max: int) -> PayloadTooLarge:
    """The refusal of a body over the limit."""
    return PayloadTooLarge(
        f"the body is larger than {size_max} bytes; send less, or a file in parts by POST "
        "/api/v1/retrieval/uploads"
    )


class ProxyAnswer:
    """What the client has been sent so far. An error can only become a status while nothing has."""

    __slots__ = ("_connection", "_extra", "_scope", "_send", "event_stream", "status")

    def __init__(self, scope: Scope, send: Send, extra: RawHeaders) -> None:
        self._scope = scope
        self._connection: ClientConnection = scope["atrium.connection"]
        self._send = send
        self._extra = extra
        self.status = 0
        self.event_stream = False

    def add_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Fields that every answer to this request carries."""
        self._extra += headers

    def begin(self, response: UpstreamResponse, origin: bytes) -> "Rest | None":
        """Sends the answer when all of it is here; else what has to be given to relay()."""
        self.status = response.status
        headers, self.event_stream = response_headers(response.headers, status=response.status, origin=origin)
        headers += self._extra
        data, ended = response.take()
        if ended and self._connection.send_whole(self._scope, response.status, headers, data):
            return None
        return headers, data, ended

    async def relay(self, response: UpstreamResponse, rest: "Rest") -> None:
        """Head and body: one write per read from the upstream's socket, none of them held back."""
        headers, data, ended = rest
        send = self._send
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if not ended:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            data = await response.next_chunk()
            ended = response.ended
        while not ended:
            if data:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            data = await response.next_chunk()
            ended = response.ended
        await send({"type": "http.response.body", "body": data, "more_body": False})

    async def complete(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """A whole answer of our own."""
        self.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body)), *self._extra],
            }
        )
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def end_stream(self, error: AppError, *, path: str, request_id: str) -> None:
        """Tells a reader of events why they stop. Any other body is left unfinished, which the client sees as
        a cut.
        """
        if not self.event_stream:
            return
        if is_openai_path(path):
            event = encode(None, openai_error(error, request_id=request_id))
        else:
            event = encode("error", problem_body(error, request_id=request_id, instance=path))
        # The cut may lie within an event: the empty line ends that one first.
        await self._send({"type": "http.response.body", "body": b"\n\n" + event, "more_body": False})


def is_openai_path(path: str) -> bool:
    """Whether errors there are in OpenAI's envelope."""
    return path == "/v1" or path.startswith("/v1/")


def as_app_error(error: Exception, service: str, *, resumable: bool = False) -> AppError:
    """What the client is told about a failed call to `service`. `resumable`: the answer is a stream that can
    be read on later.
    """
    match error:
        case AppError():
            return error
        case UpstreamError() if resumable:
            return UpstreamFailed(
                f"the connection to {service} broke; what was written is kept. Open the stream again after "
                "the last event you have"
                " (Last-Event-ID); a reply that was interrupted can be continued",
                retry_after_s=2,
            )
        case UpstreamBusy():
            return Unavailable(
                f"{service} is at its limit of connections; try again in a second",
                code="upstream_busy",
                retry_after_s=1,
            )
        case UpstreamConnectError():
            return Unavailable(
                f"{service} does not answer; try again shortly", code="upstream_down", retry_after_s=2
            )
        case UpstreamTimeout(phase="queue" | "connect"):
            return Unavailable(
                f"{service} does not accept connections; try again shortly",
                code="upstream_down",
                retry_after_s=2,
            )
        case UpstreamTimeout():
            return UpstreamTimedOut(f"{service} did not answer in time; try again", retry_after_s=2)
        case UpstreamError():
            return UpstreamFailed(f"{service} broke off its answer; try again", retry_after_s=2)
        case InvalidRequest():
            return BadRequest("the request holds characters that cannot be passed on")
        case _:
            log.error("the proxy failed", exc_info=error)
            return AppError("something went wrong on our side; quote the request id to your operator")
