"""One request on its way through the proxy."""

import asyncio
import time
from typing import Any

from shared.app.asgi import sane_request_id
from shared.errors import AppError
from shared.http import RawHeaders
from shared.telemetry import RequestTrace
from starlette.types import Receive, Scope

from gateway_service.identity.ports import Identity
from gateway_service.proxy.forward import ClientConnection, ClientWatch, ProxyAnswer
from gateway_service.proxy.headers import RequestHeaders
from gateway_service.proxy.routes import Route


class Call:
    """Its parts, and what has been found out about it so far."""

    __slots__ = (
        "answer", "connection", "cut_by", "headers", "identity", "raw_path", "receive", "request_id", "route",
        "scope", "started_s", "task",
        "trace", "watch",
    )  # fmt: skip

    def __init__(
        self, scope: Scope, receive: Receive, route: Route, headers: RequestHeaders, trace: RequestTrace
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.route = route
        self.headers = headers
        self.trace = trace
        self.request_id = sane_request_id(headers.request_id)
        self.raw_path: bytes = scope["raw_path"]
        self.started_s = time.perf_counter()
        self.identity: Identity | None = None
        self.task: asyncio.Task[Any] = scope.get("atrium.task") or _this_task()
        self.cut_by: AppError | None = None
        self.connection: ClientConnection = scope["atrium.connection"]
        self.watch = ClientWatch(self.connection, self.task)
        self.answer: ProxyAnswer

    def outgoing_headers(self, identity: Identity, *, https: bool, streamed: bool) -> RawHeaders:
        """What the service gets: who calls, for which request, and from where."""
        scope, headers = self.scope, self.headers
        outgoing = headers.forwarded
        client = scope.get("client")
        outgoing += (
            (b"authorization", identity.hop_authorization),
            (b"x-request-id", self.request_id.encode("ascii")),
            (b"traceparent", self.trace.traceparent),
            (b"x-forwarded-for", client[0].encode("ascii", "replace") if client else b"unknown"),
            (b"x-forwarded-proto", b"https" if https else scope["scheme"].encode("ascii")),
            (b"x-forwarded-host", headers.host),
        )
        if streamed and headers.content_length is not None:
            outgoing.append((b"content-length", headers.content_length))
        return outgoing


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - the server runs each request in one
    return task
