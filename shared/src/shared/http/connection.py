"""One HTTP/1.1 client connection: a protocol that carries one exchange at a time and checks every byte of the
answer.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from shared.corking import Cork
from shared.http.errors import (
    Phase,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from shared.http.headers import RawHeaders, has_control_bytes
from shared.http.limits import PoolLimits

_WRITE_SLICE = 128 * 1024
_VERSIONS = frozenset({"1.1", "1.0"})


class Connection(asyncio.Protocol):
    """Owned by the pool. `deadline` is a time.monotonic() value that the pool's ticker compares with now."""

    def __init__(
        self, origin: str, limits: PoolLimits, on_lost: Callable[["Connection"], None], cork: Cork
    ) -> None:
        self.origin = origin
        self.deadline = math.inf
        self.idle_since = 0.0
        self.counted = True
        self.status = 0
        self.headers: RawHeaders = []
        self.head_complete = False
        self.complete = False
        self.received = False
        self.request_sent = False
        self._limits = limits
        self._cork = cork
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._busy = False
        self._head_only = False
        self._reusable = True
        self._error: UpstreamError | None = None
        self._phase: Phase = "connect"
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._buffered = 0
        self._overhead = 0
        self._interim = 0
        self._read_paused = False
        self._write_paused = False
        self._ends_at_eof = False

    # --- the exchange, as the pool and the response drive it

    def begin(self, *, head_only: bool) -> None:
        """Readies an idle connection for the next exchange."""
        self._busy = True
        self._head_only = head_only
        self.status = 0
        self.headers = []
        self.head_complete = self.complete = self.received = self.request_sent = False
        self._overhead = self._interim = 0

    @property
    def usable(self) -> bool:
        """Open, and nothing of a former exchange left on it."""
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    def finish(self) -> bool:
        """Ends the exchange; True when the connection can carry another one."""
        self._busy = False
        self._waiter = None
        self.deadline = math.inf
        return (
            self.complete and self.request_sent and not self._chunks and self._error is None and self.usable
        )

    async def send(self, data: bytes, write_s: float) -> None:
        """Writes with back-pressure; returns early when the upstream has answered already."""
        for start in range(0, len(data), _WRITE_SLICE):
            self._raise_error()
            if self._transport is None:
                raise UpstreamDisconnected(f"{self.origin} closed the connection")
            self._transport.write(data if len(data) <= _WRITE_SLICE else data[start : start + _WRITE_SLICE])
            while self._write_paused and not self.head_complete:
                await self._woken("write", write_s)
                self._raise_error()
            if self.head_complete:
                return

    def send_now(self, data: bytes) -> bool:
        """As send(), for a few bytes that need not wait; False when they would have to."""
        if (
            self._write_paused
            or self._error is not None
            or self._transport is None
            or len(data) > _WRITE_SLICE
        ):
            return False
        self._cork.write(self._transport, data)
        return True

    async def wait_head(self, first_byte_s: float) -> None:
        """Returns when status and headers of the final response are here."""
        deadline = time.monotonic() + first_byte_s
        while not self.head_complete:
            self._raise_error()
            await self._woken("first_byte", deadline - time.monotonic())

    async def next_chunk(self, idle_s: float) -> bytes:
        """The body bytes of one read from the socket, b"" at the end."""
        while not self._chunks:
            if self.complete:
                return b""
            self._raise_error()
            await self._woken("idle", idle_s)
        return self._pop()

    @property
    def drained(self) -> bool:
        """The response is complete and all of it was read."""
        return self.complete and not self._chunks

    def take(self) -> tuple[bytes, bool]:
        """What has arrived of the body without waiting, and whether that was the end."""
        data = b"" if not self._chunks else self._pop()
        return data, self.drained

    def abort(self, error: UpstreamError | None = None) -> None:
        """Closes at once; a waiting reader gets `error`."""
        self._reusable = False
        if self._error is None and not self.complete:
            self._error = error or UpstreamDisconnected(f"the connection to {self.origin} was closed by us")
        self._wake()
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """The deadline of the current phase has passed."""
        self.abort(UpstreamTimeout(self._phase, self.origin))

    def _woken(self, phase: Phase, seconds: float) -> asyncio.Future[None]:
        """To be awaited at once: done when something has happened on the connection, which is cut when
        nothing does in time.
        """
        self._phase = phase
        self.deadline = time.monotonic() + seconds
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        return waiter

    def _pop(self) -> bytes:
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._read_paused and self._buffered <= self._limits.buffer_size_max // 2:
            self._read_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        return chunk

    def _raise_error(self) -> None:
        if self._error is not None and not self._chunks:
            raise self._error

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            self.deadline = math.inf
            if not waiter.done():
                waiter.set_result(None)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy or self._parser is None or (self.complete and not self._head_only):
            self.abort()  # bytes nobody asked for: the next answer on this connection could be a forged one
            return
        self.received = True
        failure = _feed(self._parser, data)
        if self._parts:
            chunk = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            self._overhead = 0
            self._store(chunk)
        elif not self.complete:
            self._overhead += len(data)
            if failure is None and self._overhead > self._limits.head_size_max:
                failure = "sent too many bytes that are no body"
        if failure is not None:
            self.abort(UpstreamProtocolError(f"{self.origin} {failure}"))
        else:
            self._wake()

    def eof_received(self) -> None:
        """Lets the transport close, which ends in connection_lost()."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._reusable = False
        if self._busy and not self.complete and self._error is None:
            if exc is None and self.head_complete and self._ends_at_eof:
                self.complete = True
            else:
                self._error = UpstreamDisconnected(
                    f"{self.origin} closed the connection before the end of its answer"
                )
        self._transport = None
        self._parser = None  # it holds our bound methods: a cycle that only the collector would free
        self._wake()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    def _store(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        if self._buffered > self._limits.buffer_size_max and not self._read_paused and not self.complete:
            self._read_paused = True
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()

    # --- httptools callbacks

    def on_message_begin(self) -> None:
        if self.complete:
            raise UpstreamProtocolError("answered twice")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_complete:  # afterwards these are trailers, which nobody reads
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None:
            return
        status = parser.get_status_code()
        if status < 200:
            self._accept_interim(status)
            return
        self._check_head(parser.get_http_version(), status)
        self.status = status
        self.head_complete = True
        if self._head_only:
            self.complete = True
            self._reusable = False  # the parser still expects the body that HEAD leaves out

    def on_body(self, data: bytes) -> None:
        if not self._head_only:
            self._parts.append(data)

    def on_message_complete(self) -> None:
        if self.status < 200:
            return
        self.complete = True
        parser = self._parser
        if parser is None or not parser.should_keep_alive():
            self._reusable = False

    def _accept_interim(self, status: int) -> None:
        self._interim += 1
        self.headers = []
        if status == 101:
            raise UpstreamProtocolError("switched protocols without being asked")
        if self._interim > self._limits.interim_responses_max:
            raise UpstreamProtocolError("sent too many interim responses")

    def _check_head(self, version: str, status: int) -> None:
        values: list[bytes] = []
        lengths: list[bytes] = []
        encodings: list[bytes] = []
        for name, value in self.headers:
            values.append(value)
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                encodings.append(value)
        if version not in _VERSIONS or status > 599:
            raise UpstreamProtocolError("answered in no version or status of HTTP/1.1")
        if len(values) > self._limits.head_fields_max or sum(map(len, values)) > self._limits.head_size_max:
            raise UpstreamProtocolError("sent a response head over the limit")
        if has_control_bytes(values):
            raise UpstreamProtocolError("sent a control character in a header value")
        if len(lengths) > 1 or (lengths and (encodings or not lengths[0].isdigit())):
            raise UpstreamProtocolError("framed its body in two ways")
        if encodings and (len(encodings) > 1 or encodings[0].lower() != b"chunked" or version == "1.0"):
            raise UpstreamProtocolError("used a transfer-encoding other than chunked")
        self._ends_at_eof = not lengths and not encodings


def _feed(parser: httptools.HttpResponseParser, data: bytes) -> str | None:
    """What the upstream did wrong, or None."""
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return "switched protocols without being asked"
    except httptools.HttpParserError as error:
        cause = error.__context__
        return str(cause) if isinstance(cause, UpstreamProtocolError) else "broke the HTTP/1.1 framing"
    return None
