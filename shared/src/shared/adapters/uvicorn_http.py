"""uvicorn's HTTP protocol with answers that are written together, and without what no service of the platform
uses.

An application cannot choose its protocol class: uvicorn picks it before the application is loaded. So
`install()` teaches uvicorn's class to make the one that an application names as its `protocol_class`; however
uvicorn is started, it serves that.
"""

import asyncio
import sys
from typing import Any, cast
from urllib.parse import unquote

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared.corking import Cork, CorkedTransport
from shared.http import RawHeaders

_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_VALUE_BYTES = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS = frozenset({204, 304})

HEAD_BYTES_MAX = 128 * 1024
"""What may come in a row that is no body: a head, the fields after a body, the lengths of pieces. The parser
has no bound of its own and
copies what it has with every read, so that one endless head would take all of the process's time."""
_TOO_LARGE = (
    b'{"type":"urn:atrium:error:headers_too_large","title":"Request header fields too large","status":431,'
    b'"detail":"the head of the request is too large; send less","code":"headers_too_large"}'
)
_UNREADABLE = b"Invalid HTTP request received."


def closing_answer(
    status_line: bytes, body: bytes, *extra: bytes, content_type: bytes = b"application/problem+json"
) -> bytes:
    """A whole answer after which the connection closes."""
    fields = (
        b"content-type: " + content_type,
        b"content-length: %d" % len(body),
        b"connection: close",
        *extra,
    )
    return b"HTTP/1.1 " + status_line + b"\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body


_TOO_LARGE_ANSWER = closing_answer(b"431 Request Header Fields Too Large", _TOO_LARGE)


async def _refuse_unreadable(_scope: Any, _receive: Any, send: Any) -> None:
    fields = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(_UNREADABLE)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": fields})
    await send({"type": "http.response.body", "body": _UNREADABLE})


class _Signal:
    """As much of an asyncio.Event as a request needs, which mostly is never waited for."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        self._is_set = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        if not self._is_set:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()


def _checked(headers: RawHeaders) -> RawHeaders:
    if b"".join([name for name, _ in headers]).translate(None, _NAME_BYTES):
        headers = [(name.lower(), value) for name, value in headers]
        if b"".join([name for name, _ in headers]).translate(None, _NAME_BYTES):
            raise RuntimeError("a header name is no token")
    if b"".join([value for _, value in headers]).translate(None, _VALUE_BYTES):
        raise RuntimeError("a header value holds a control character")
    return headers


class CorkedAnswer(RequestResponseCycle):
    """As uvicorn's, with checks that cost a fraction of its regular expressions."""

    task: asyncio.Task[None]
    tasks: set[asyncio.Task[None]]
    ends_at_close = False

    async def run_asgi(self, app: Any) -> None:
        try:
            await super().run_asgi(app)
        finally:
            self.tasks.discard(self.task)

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.transport.write(self._head_of(message["status"], list(message.get("headers", ()))))
        elif not self.response_complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError("the answer is complete; nothing can follow")

    def send_whole(self, status: int, headers: RawHeaders, body: bytes) -> bool:
        """Sends a complete answer at once; False when it would have to wait, or nobody is there to
        take it.
        """
        if self.flow.write_paused or self.disconnected or self.response_started:
            return False
        self.transport.write(self._head_of(status, headers))
        self._send_body(body, more=False)
        return True

    def _head_of(self, status: int, given: RawHeaders) -> bytes:
        headers = _checked(self.default_headers + given)
        lines = [STATUS_LINE[status]]
        self.response_started = True
        self.waiting_for_100_continue = False
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
            if (
                self.scope["http_version"] == "1.0"
            ):  # such a client reads no chunks: the body lasts until the connection closes
                self.ends_at_close = True
            else:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if (
            type(body) is not bytes
        ):  # it is written later than now: its owner may have put something else into it by then
            body = bytes(body)
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        elif not self.ends_at_close:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the answer is longer than its content-length")
        if body:
            self.transport.write(body)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("the answer is shorter than its content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class CorkedProtocol(HttpToolsProtocol):
    """One client connection of an application that names this class or one below it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # uvicorn's middleware believes forwarding headers from this machine; only the gateway looks at them,
        # and decides that itself.
        self.app = _without_proxy_headers(self.config)
        self.application = _application(self.config)
        self._cork: Cork = self.application.cork
        self._unplaced = 0
        """Bytes received since the last read that held some of a body or the end of a head."""
        self._deaf = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("Any", CorkedTransport(transport, self._cork)))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """As uvicorn's, without a callback for the end of each task: that is a turn of the event loop."""
        if not isinstance(cycle, CorkedAnswer):
            super()._start_asgi_task(cycle, app)
            return
        cycle.tasks = self.tasks
        cycle.task = cast("Any", cycle.scope)["atrium.task"] = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(cycle.task)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unplaced += len(data)
        super().data_received(data)
        if self._unplaced > HEAD_BYTES_MAX and not self._deaf:
            self._deaf = True
            if self.between_answers() and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE_ANSWER)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, but after the answers to what came before, and never within one."""
        self._deaf = True
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or (cycle.response_complete and not self.pipeline):
            super().send_400_response(msg)
        elif not cycle.more_body:
            refusal = self.cycle = self._answer_to({**cycle.scope, "method": "GET"}, keep_alive=False)
            refusal.more_body = False
            self.pipeline.appendleft((refusal, cast("Any", _refuse_unreadable)))
        elif self.pipeline:
            self.pipeline[0] = (cycle, cast("Any", _refuse_unreadable))
        elif cycle.response_started:
            self.transport.close()
        else:
            super().send_400_response(msg)

    def between_answers(self) -> bool:
        """Whether the client is in the middle of a request and nothing has been sent that an answer to it
        would break.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cast("object", self.scope) is None:
            return False
        if cycle is None or cycle.scope is not self.scope:  # within a head
            return cycle is None or cycle.response_complete
        return cycle.more_body and not cycle.response_started and not self.pipeline

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: whoever answers decides what becomes of the request."""

    # --- the parser

    def on_headers_complete(self) -> None:
        self._unplaced = 0
        url = self.url
        rare = self.limit_concurrency is not None or self.root_path or not url.startswith(b"/") or b"#" in url
        if rare or cast("Any", self.parser).should_upgrade():
            super().on_headers_complete()
            self.scope["headers"] = list(self.headers)
        else:
            self._begin(url, cast("Any", self.parser))
            # The fields after a body are nobody's: they were not sent where a proxy before us looks.
            self.headers = []

    def on_body(self, body: bytes) -> None:
        self._unplaced = 0
        super().on_body(body)

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
        cycle = self.cycle = self._answer_to(
            scope, keep_alive=version != "1.0" and parser.should_keep_alive()
        )
        if cast("object", former) is None or former.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _answer_to(self, scope: Any, *, keep_alive: bool) -> CorkedAnswer:
        return CorkedAnswer(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=cast("Any", _Signal()),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )


def _without_proxy_headers(config: Any) -> Any:
    app = config.loaded_app
    return app.app if isinstance(app, ProxyHeadersMiddleware) else app


def _application(config: Any) -> Any:
    """What names a protocol, within whatever uvicorn has wrapped around it; None when nothing does."""
    app = config.loaded_app
    while app is not None and not hasattr(app, "protocol_class"):
        app = getattr(app, "app", None)
    return app


def _make(cls: type[asyncio.Protocol], *args: Any, **options: Any) -> asyncio.Protocol:
    application = _application(options["config"]) if cls in _stood_in_for else None
    if application is None:
        return object.__new__(cls)
    named: type[HttpToolsProtocol] = application.protocol_class
    return object.__new__(named) if issubclass(named, cls) else named(*args, **options)


_stood_in_for: set[type[asyncio.Protocol]] = {HttpToolsProtocol}


def install() -> None:
    """From now on uvicorn serves applications by the `protocol_class` that they name, also when it was told
    to use h11.

    To be called when the application is made, and again when it starts: which comes first, uvicorn's class or
    the application, differs.
    """
    HttpToolsProtocol.__new__ = cast("Any", _make)
    h11: Any = sys.modules.get("uvicorn.protocols.http.h11_impl")  # loaded only when it is to be used
    if h11 is not None:
        h11.H11Protocol.__new__ = _make
        _stood_in_for.add(h11.H11Protocol)
