"""uvicorn's HTTP protocol with answers that are written together, and without what no service of the platform uses.

An application cannot choose its protocol class: uvicorn picks it before the application is loaded. So `install()` teaches
uvicorn's class to make the one that an application names as its `protocol_class`; however uvicorn is started, it serves that.
"""

import asyncio
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


class CorkedAnswer(RequestResponseCycle):
    """As uvicorn's, with checks that cost a fraction of its regular expressions."""

    task: asyncio.Task[None]
    tasks: set[asyncio.Task[None]]

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
        """Sends a complete answer at once; False when it would have to wait, or nobody is there to take it."""
        if self.flow.write_paused or self.disconnected or self.response_started:
            return False
        self.transport.write(self._head_of(status, headers))
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
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        elif self.chunked_encoding:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        else:
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
        # uvicorn's middleware believes forwarding headers from this machine; only the gateway looks at them, and decides that itself.
        self.app = inner = _without_proxy_headers(self.config)
        self._cork: Cork = inner.cork

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("Any", CorkedTransport(transport, self._cork)))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """As uvicorn's, without a callback for the end of each task: that is a turn of the event loop."""
        if not isinstance(cycle, CorkedAnswer):
            super()._start_asgi_task(cycle, app)
            return
        cycle.tasks = self.tasks
        cycle.task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(cycle.task)

    # --- the parser

    def on_headers_complete(self) -> None:
        url = self.url
        rare = self.limit_concurrency is not None or self.root_path or not url.startswith(b"/") or b"#" in url
        if rare or cast("Any", self.parser).should_upgrade():
            super().on_headers_complete()
        else:
            self._begin(url, cast("Any", self.parser))

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
        cycle = self.cycle = CorkedAnswer(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=cast("Any", _Signal()),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if cast("object", former) is None or former.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))


def _without_proxy_headers(config: Any) -> Any:
    app = config.loaded_app
    return app.app if isinstance(app, ProxyHeadersMiddleware) else app


def _make(cls: type[HttpToolsProtocol], *_args: Any, **options: Any) -> HttpToolsProtocol:
    named = getattr(_without_proxy_headers(options["config"]), "protocol_class", None) if cls is HttpToolsProtocol else None
    return object.__new__(named or cls)


def install() -> None:
    """From now on uvicorn serves applications by the `protocol_class` that they name."""
    HttpToolsProtocol.__new__ = _make
