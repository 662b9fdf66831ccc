"""uvicorn's HTTP protocol with deadlines for what a client sends, and without what the gateway does better itself.

uvicorn has no time-out for the head and the body of a request, and the application cannot choose the protocol class: it is
picked before the application is loaded, and `uvicorn app.main:app` has to be as safe as any other way to start it. So
`install()` teaches uvicorn's class to make ours for every application that carries a guard.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

from shared.corking import Cork
from shared.http import RawHeaders
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway_service.connections.guard import ConnectionGuard

_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_VALUE_BYTES = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS = frozenset({204, 304})
_LATE = (
    b'{"type":"urn:atrium:error:request_timeout","title":"Request timed out","status":408,'
    b'"detail":"the request did not arrive in time; send it again","code":"request_timeout"}'
)
_FULL = (
    b'{"type":"urn:atrium:error:too_many_connections","title":"Unavailable","status":503,'
    b'"detail":"there are too many connections, all or from your address; close some and try again","code":"too_many_connections"}'
)


def _closing_answer(status_line: bytes, body: bytes, *extra: bytes) -> bytes:
    fields = (b"content-type: application/problem+json", b"content-length: %d" % len(body), b"connection: close", *extra)
    return b"HTTP/1.1 " + status_line + b"\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body


_LATE_ANSWER = _closing_answer(b"408 Request Timeout", _LATE)
_FULL_ANSWER = _closing_answer(b"503 Service Unavailable", _FULL, b"retry-after: 5")


class _Answer(RequestResponseCycle):
    """As uvicorn's, with fewer system calls: a head that is announced as held goes out with the first piece of the body.

    A write is a system call and the dearest part of a short answer.
    """

    _head = b""
    cork: Cork

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            head = self._head_of(message["status"], list(message.get("headers", ())))
            if message.get("atrium.held"):
                self._head = head
            else:
                self.cork.write(self.transport, head)
        elif not self.response_complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError("the answer is complete; nothing can follow")

    def send_whole(self, status: int, headers: RawHeaders, body: bytes) -> bool:
        """Sends a complete answer at once; False when it would have to wait, or nobody is there to take it."""
        if self.flow.write_paused or self.disconnected or self.response_started:
            return False
        self._head = self._head_of(status, headers)
        self._send_body(body, more=False)
        return True

    def _head_of(self, status: int, given: RawHeaders) -> bytes:
        self.response_started = True
        self.waiting_for_100_continue = False
        headers = self.default_headers + given
        if b"".join([name for name, _ in headers]).translate(None, _NAME_BYTES):
            raise RuntimeError("a header name is no token in lower case")
        if b"".join([value for _, value in headers]).translate(None, _VALUE_BYTES):
            raise RuntimeError("a header value holds a control character")
        lines = [STATUS_LINE[status]]
        closes = False
        for name, value in headers:
            if name in _FRAMING:
                if name == b"content-length":
                    if self.chunked_encoding is None:
                        self.expected_content_length, self.chunked_encoding = int(value), False
                elif name == b"transfer-encoding" and value.lower() == b"chunked":
                    self.expected_content_length, self.chunked_encoding = 0, True
                elif name == b"connection" and b"close" in value.lower():
                    self.keep_alive, closes = False, True
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        data, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            if body:
                data += b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                data += b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its content-length")
            data = data + body if data else body
        if data:
            self.cork.write(self.transport, data)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("the answer is shorter than its content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.cork.flush()
            self.transport.close()
        self.on_response()


class GuardedProtocol(HttpToolsProtocol):
    """One client connection. The application finds it as `scope["atrium.connection"]`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # uvicorn's middleware believes forwarding headers from this machine; the gateway decides that itself.
        self.app = inner = _without_proxy_headers(self.config)
        self._guard: ConnectionGuard = inner.guard
        self._cork: Cork = inner.cork
        self.deadline = math.inf
        self.writing_since = math.inf
        self._on_gone: Callable[[], None] | None = None

    # --- for the application

    def take_body_slowly(self) -> None:
        """The request is authorised: its body may take its time, the application watches it."""
        self.deadline = math.inf

    def when_gone(self, callback: Callable[[], None] | None) -> None:
        """Call back as soon as the client has left; None: no longer."""
        self._on_gone = callback

    def body_at_hand(self, scope: Any) -> bytes | None:
        """The whole body of this request, when it has come already; it is given out once. None: it has to be received."""
        cycle = self.cycle
        if cycle.scope is not scope or cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        self.flow.resume_reading()  # or a client that leaves would not be noticed
        return body

    def send_whole(self, scope: Any, status: int, headers: RawHeaders, body: bytes) -> bool:
        """Sends a complete answer to this request at once; False when that has to wait."""
        cycle = self.cycle
        return isinstance(cycle, _Answer) and cycle.scope is scope and cycle.send_whole(status, headers, body)

    # --- for the guard

    def expire(self) -> None:
        """Ends the connection; a client in the middle of a request is told why."""
        self.deadline = math.inf
        self._cork.flush()
        if self._late_answer_fits() and not self.transport.is_closing():
            self.transport.write(_LATE_ANSWER)
        self.transport.close()

    def cut(self) -> None:
        """Ends the connection without a word."""
        self.transport.abort()

    # --- for uvicorn; what is held of an answer goes out before what ends the connection

    def shutdown(self) -> None:
        self._cork.flush()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._cork.flush()
        super().send_400_response(msg)

    # --- asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.deadline = self.loop.time() + self._guard.limits.head_s
        if not self._guard.admit(self, self.client[0] if self.client else ""):
            transport.write(_FULL_ANSWER)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.forget(self)
        super().connection_lost(exc)
        self.scope = cast("Any", None)  # it holds this object
        if self._on_gone is not None:
            self._on_gone()

    def pause_writing(self) -> None:
        self.writing_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.writing_since = math.inf
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        self._guard.forget(self)
        super().handle_websocket_upgrade()

    # --- the parser

    def on_message_begin(self) -> None:
        self.deadline = self.loop.time() + self._guard.limits.head_s
        super().on_message_begin()
        self.scope["atrium.connection"] = self  # pyright: ignore[reportGeneralTypeIssues] - a key of our own

    def on_headers_complete(self) -> None:
        url = self.url
        rare = self.limit_concurrency is not None or self.root_path or not url.startswith(b"/") or b"#" in url
        if rare or cast("Any", self.parser).should_upgrade():
            super().on_headers_complete()
        else:
            self._begin(url, cast("Any", self.parser))
        self.deadline = self.loop.time() + self._guard.limits.body_s

    def _begin(self, url: bytes, parser: Any) -> None:
        """As uvicorn's, for the form that nearly every request has, with an answer of our own class."""
        scope, version = self.scope, parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        raw_path, _, query = url.partition(b"?")
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        former = self.cycle
        cycle = self.cycle = _Answer(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.cork = self._cork
        if cast("object", former) is None or former.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle.response_complete and not self.pipeline:
            self._await_next()  # the rest of a body that nobody wanted
        else:
            self.deadline = math.inf

    def on_response_complete(self) -> None:
        """As uvicorn's, with a deadline in place of its timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.cycle.more_body:
            self.deadline = self.loop.time() + self._guard.limits.body_s
        else:
            self._await_next()

    def _late_answer_fits(self) -> bool:
        """Whether the client is in the middle of a request and nothing has been sent that this answer would break."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cast("object", self.scope) is None:
            return False
        if cycle is None or cycle.scope is not self.scope:  # within a head
            return cycle is None or cycle.response_complete
        return cycle.more_body and not cycle.response_started

    def _await_next(self) -> None:
        self.deadline = self.loop.time() + self.timeout_keep_alive


def _without_proxy_headers(config: Any) -> Any:
    app = config.loaded_app
    return app.app if isinstance(app, ProxyHeadersMiddleware) else app


def _make(cls: type[HttpToolsProtocol], *_args: Any, **options: Any) -> HttpToolsProtocol:
    guarded = cls is HttpToolsProtocol and hasattr(_without_proxy_headers(options["config"]), "guard")
    return object.__new__(GuardedProtocol if guarded else cls)


def install() -> None:
    """From now on uvicorn serves applications that have a `guard` by GuardedProtocol."""
    HttpToolsProtocol.__new__ = _make
