"""uvicorn's HTTP protocol with deadlines for what a client sends, and without what the gateway does better
itself.

uvicorn has no time-out for the head and the body of a request, and `uvicorn app.main:app` has to be as safe
as any other way to start it.
"""

import math
from collections.abc import Callable
from typing import Any, cast

from shared.adapters.uvicorn_http import CorkedAnswer, CorkedProtocol, closing_answer
from shared.http import RawHeaders

from gateway_service.connections.guard import ConnectionGuard

_LATE = (
    b'{"type":"urn:atrium:error:request_timeout","title":"Request timed out","status":408,'
    b'"detail":"the request did not arrive in time; send it again","code":"request_timeout"}'
)
_FULL = (
    b'{"type":"urn:atrium:error:too_many_connections","title":"Unavailable","status":503,'
    b'"detail":"there are too many connections, all or from your address; close some and try '
    b'again","code":"too_many_connections"}'
)


_LATE_ANSWER = closing_answer(b"408 Request Timeout", _LATE)
_FULL_ANSWER = closing_answer(b"503 Service Unavailable", _FULL, b"retry-after: 5")


class GuardedProtocol(CorkedProtocol):
    """One client connection. The application finds it as `scope["atrium.connection"]`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard: ConnectionGuard = self.application.guard
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
        """The whole body of this request, when it has come already; it is given out once. None: it has to be
        received.
        """
        cycle = self.cycle
        if (
            cycle.scope is not scope
            or cycle.more_body
            or cycle.waiting_for_100_continue
            or cycle.disconnected
        ):
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        self.flow.resume_reading()  # or a client that leaves would not be noticed
        return body

    def send_whole(self, scope: Any, status: int, headers: RawHeaders, body: bytes) -> bool:
        """Sends a complete answer to this request at once; False when that has to wait."""
        cycle = self.cycle
        return (
            isinstance(cycle, CorkedAnswer)
            and cycle.scope is scope
            and cycle.send_whole(status, headers, body)
        )

    # --- for the guard

    def expire(self) -> None:
        """Ends the connection; a client in the middle of a request is told why."""
        self.deadline = math.inf
        if self.between_answers() and not self.transport.is_closing():
            self.transport.write(_LATE_ANSWER)
        self.transport.close()

    def cut(self) -> None:
        """Ends the connection without a word."""
        self.transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.deadline = self.loop.time() + self._guard.limits.head_s
        if not self._guard.admit(self, self.client[0] if self.client else ""):
            self.transport.write(_FULL_ANSWER)
            self.transport.close()

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

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(msg)
        self.deadline = math.inf  # nothing more is read; what is being answered may take its time

    def handle_websocket_upgrade(self) -> None:
        self._guard.forget(self)
        super().handle_websocket_upgrade()

    # --- the parser

    def on_message_begin(self) -> None:
        self.deadline = self.loop.time() + self._guard.limits.head_s
        super().on_message_begin()
        self.scope["atrium.connection"] = self  # pyright: ignore[reportGeneralTypeIssues] - a key of our own

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.deadline = self.loop.time() + self._guard.limits.body_s

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

    def _await_next(self) -> None:
        self.deadline = self.loop.time() + self.timeout_keep_alive
