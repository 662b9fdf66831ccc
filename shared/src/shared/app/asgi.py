"""The outer ASGI callable of a service: ids, traces, limits of bodies, hot routes, one access line for each
request.
"""

import random
import re
import time
from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.types import Message, Receive, Scope, Send

from shared.adapters.uvicorn_http import CorkedProtocol, install
from shared.auth.tokens import presented_token
from shared.corking import Cork
from shared.errors import AppError, Headers, PayloadTooLarge, UnsupportedMediaType, render_for_path
from shared.hotroutes import ClientGone, HotRequest, HotRoute, HotTable
from shared.logs import AccessLog, request_id_var
from shared.metrics import Metrics
from shared.outages import answer_to
from shared.telemetry import RequestTrace, Telemetry, traceparent_var

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})


def new_request_id() -> str:
    """An id for one request of a client."""
    # Must differ, need not be secret; the system's random bytes cost a call into the kernel.
    return f"{random.getrandbits(128):032x}"


def sane_request_id(value: bytes | None) -> str:
    """The client's own request id when it is harmless, else a new one."""
    return value.decode("ascii") if value and _REQUEST_ID.fullmatch(value) else new_request_id()


class ServiceApp:
    """The outer ASGI callable. `api` is the FastAPI application for everything that is not hot."""

    protocol_class = CorkedProtocol

    def __init__(
        self,
        api: FastAPI,
        *,
        hot_routes: Sequence[HotRoute],
        metrics: Metrics,
        telemetry: Telemetry,
        body_bytes_max: int,
        body_bytes_max_below: Mapping[str, int],
    ) -> None:
        self.api = api
        self.hot_routes = tuple(hot_routes)
        self.metrics = metrics
        self.telemetry = telemetry
        self._table = HotTable(self.hot_routes)
        self._body_bytes_max = body_bytes_max
        self._body_bytes_max_below = tuple(body_bytes_max_below.items())
        self._access_log: AccessLog = api.state.access_log
        self.cork = Cork()
        install()

    @property
    def state(self) -> State:
        return self.api.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            install()  # uvicorn's command loads h11 after the application
            await self.api(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # As GET; the server leaves the body out.
            scope = {**scope, "method": "GET"}
        headers = dict(scope["headers"])
        request_id = sane_request_id(headers.get(b"x-request-id"))
        trace = self.telemetry.start(scope["method"], headers.get(b"traceparent"))
        request_id_var.set(request_id)
        traceparent_var.set(trace.traceparent)
        scope["atrium.request_id"] = request_id
        exchange = _Exchange(send, request_id)
        started = time.perf_counter()
        found = self._table.match(scope["method"], scope["path"])
        try:
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                await exchange.send_error(_encoded_body(headers), scope["path"])
            elif found is not None:
                await self._run_hot(*found, _Incoming(scope, receive, exchange, headers, request_id, trace))
            else:
                await self._run_api(scope, receive, exchange, headers)
        finally:
            route = found[0].path if found else _route_template(scope)
            self._finish(scope["method"], route, exchange, trace, time.perf_counter() - started)

    async def _run_hot(self, route: HotRoute, path_params: dict[str, str], incoming: "_Incoming") -> None:
        exchange = incoming.exchange
        try:
            principal = self.state.verifier.verify(presented_token(incoming.headers))
            self.state.direct_limits.check(principal)
            route.authorise(principal)
            await route.handler(
                HotRequest(
                    scope=incoming.scope,
                    receive=incoming.receive,
                    send=exchange.send,
                    principal=principal,
                    request_id=incoming.request_id,
                    trace=incoming.trace,
                    path_params=path_params,
                    state=self.state,
                )
            )
        except ClientGone:
            exchange.status = exchange.status or 499
        except AppError as error:
            await exchange.send_error(error, incoming.scope["path"])
        except Exception as error:  # noqa: BLE001 - the process edge of a hot route: it is logged, the client gets no exception text
            await exchange.send_error(answer_to(error, f"hot route {route.path}"), incoming.scope["path"])

    async def _run_api(
        self, scope: Scope, receive: Receive, exchange: "_Exchange", headers: Mapping[bytes, bytes]
    ) -> None:
        declared = headers.get(b"content-length", b"0")
        size_max = self._body_limit(scope["path"])
        if not declared.isdigit() or int(declared) > size_max:
            await exchange.send_error(_body_too_large(size_max), scope["path"])
            return
        size = 0

        async def receive_limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > size_max:
                # FastAPI turns what is raised while it reads a body into a 400; _on_http_exception finds this
                # instead.
                scope["atrium.body_error"] = _body_too_large(size_max)
                raise scope["atrium.body_error"]
            return message

        await self.api(scope, receive_limited, exchange.send)

    def _body_limit(self, path: str) -> int:
        for prefix, size_max in self._body_bytes_max_below:
            if path.startswith(prefix):
                return size_max
        return self._body_bytes_max

    def _finish(
        self, method: str, route: str, exchange: "_Exchange", trace: RequestTrace, duration_s: float
    ) -> None:
        status = exchange.status
        self.metrics.observe_request(method, route, status, duration_s)
        trace.annotate({"http.route": route, "http.response.status_code": status})
        trace.end(failed=status >= 500)
        if route not in _QUIET_ROUTES:
            self._access_log.write(
                request_id=exchange.request_id,
                method=method,
                route=route,
                status=status,
                duration_s=duration_s,
            )


def _encoded_body(headers: Mapping[bytes, bytes]) -> UnsupportedMediaType:
    encoding = headers[b"content-encoding"].decode("latin-1")[:40]
    return UnsupportedMediaType(
        f"a body with content-encoding {encoding} is not read; send it as it is", code="content_encoding"
    )


def _body_too_large(size_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {size_max} bytes; send less")


class _Incoming:
    """One request on its way to a hot handler."""

    __slots__ = ("exchange", "headers", "receive", "request_id", "scope", "trace")

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        exchange: "_Exchange",
        headers: Mapping[bytes, bytes],
        request_id: str,
        trace: RequestTrace,
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.exchange = exchange
        self.headers = headers
        self.request_id = request_id
        self.trace = trace


class _Exchange:
    """Watches one answer go by: its status, and the request id it must carry."""

    __slots__ = ("_send", "_started", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self._started = False
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            headers: Headers = list(message.get("headers", ()))
            if not any(name == b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", self.request_id.encode("ascii")))
            message = {**message, "headers": headers}
        await self._send(message)

    async def send_error(self, error: AppError, path: str) -> None:
        """`error` as the whole answer; nothing once the answer has begun."""
        if self._started:
            return
        status, headers, body = render_for_path(error, path=path, request_id=self.request_id)
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _route_template(scope: Scope) -> str:
    # Unmatched paths share one label: a raw path would let strangers grow the metrics.
    return str(getattr(scope.get("route"), "path", None) or "(unmatched)")
