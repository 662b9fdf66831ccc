"""The outer ASGI callable of port 8000: paths of a service go to its process, everything else to the gateway's own application."""

import re
import time
from collections.abc import AsyncIterator, Sequence

from shared.app import sane_request_id
from shared.errors import AppError, BadRequest, Forbidden, TooManyRequests, Unauthenticated, Unavailable, render_for_path
from shared.http import RawHeaders, UpstreamBusy, UpstreamConnectError, UpstreamDisconnected, UpstreamError, UpstreamPool
from shared.logs import request_id_var
from shared.metrics import Metrics
from shared.telemetry import RequestTrace, Telemetry
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway_service.adapters.uvicorn_http import install
from gateway_service.connections.guard import ConnectionGuard
from gateway_service.proxy.breaker import CircuitBreaker
from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.edge import EdgeHeaders
from gateway_service.proxy.forward import Answer, ClientGone, ClientWatch, RequestBody, as_app_error, too_large
from gateway_service.proxy.headers import RequestHeaders, bearer_credential, sort_request_headers
from gateway_service.proxy.paths import check_closed, check_raw_path
from gateway_service.proxy.ports import Authenticator, Decision, Identity, Limiter
from gateway_service.proxy.routes import Route

_REFUNDED = frozenset({402, 403, 429})
_CLIENT_CLOSED = 499


class NotImplementedHere(AppError):
    """The upgrade to another protocol that nothing behind the gateway speaks."""

    status, code, title = 501, "not_implemented", "Not implemented"


class _Call:
    """One request on its way through the proxy."""

    __slots__ = ("answer", "headers", "identity", "raw_path", "receive", "request_id", "route", "scope", "trace", "watch")

    def __init__(self, scope: Scope, receive: Receive, route: Route, headers: RequestHeaders, trace: RequestTrace) -> None:
        self.scope = scope
        self.receive = receive
        self.route = route
        self.headers = headers
        self.trace = trace
        self.request_id = sane_request_id(headers.request_id)
        self.raw_path: bytes = scope["raw_path"]
        self.identity: Identity | None = None
        self.watch: ClientWatch
        self.answer: Answer


class ProxyApp:
    """`fallback` answers what no route claims; it also gets the lifespan. The caller owns the pool and closes it."""

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        fallback: ASGIApp,
        authenticator: Authenticator,
        limiter: Limiter,
        pool: UpstreamPool,
        metrics: Metrics,
        telemetry: Telemetry,
        config: ProxyConfig | None = None,
    ) -> None:
        self._fallback = fallback
        self._authenticator = authenticator
        self._limiter = limiter
        self._pool = pool
        self._metrics = metrics
        self._telemetry = telemetry
        self._config = config or ProxyConfig()
        self._edge = EdgeHeaders(self._config)
        self.guard = ConnectionGuard(self._config.connections, lambda: pool.connections)
        install()
        self._routes = {route.prefix: route for route in routes}
        self._labels = {route.prefix: route.prefix.decode("ascii") for route in routes}
        prefixes = sorted(self._routes, key=len, reverse=True)
        self._prefix = re.compile(b"(" + b"|".join(map(re.escape, prefixes)) + rb")(?=/|$)") if prefixes else re.compile(rb"(?!)")
        self._breakers = {
            route.origin: CircuitBreaker(failures_max=self._config.breaker_failures_max, open_s=self._config.breaker_open_s)
            for route in routes
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._refuse_websocket(scope, receive, send)
        else:
            await self._fallback(scope, receive, send)

    def route_of(self, raw_path: bytes) -> Route | None:
        """The route whose prefix the raw path has, as whole segments."""
        match = self._prefix.match(raw_path)
        return self._routes[match[1]] if match else None

    # --- one request

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        path: str = scope["path"]
        try:
            headers = sort_request_headers(scope["headers"])
            check_raw_path(raw_path)
            check_closed(path)
            self._check_host(headers.host)
            if await self._preflight(scope, headers, send):
                return
        except AppError as error:
            await self._refuse(error, path, send)
            return
        route = self.route_of(raw_path)
        if route is None:
            await self._fallback(scope, receive, self._edge.wrap(send, headers.origin))
            return
        started = time.perf_counter()
        trace = self._telemetry.start(scope["method"], headers.traceparent)
        call = _Call(scope, receive, route, headers, trace)
        request_id_var.set(call.request_id)
        extra = self._edge.for_answer(headers.origin)
        extra.append((b"x-request-id", call.request_id.encode("ascii")))
        call.answer = Answer(send, extra)
        call.watch = ClientWatch(scope["atrium.connection"])
        await self._serve(call)
        status = call.answer.status or _CLIENT_CLOSED
        self._metrics.observe_request(scope["method"], self._labels[route.prefix], status, time.perf_counter() - started)
        trace.end(failed=status >= 500)

    async def _serve(self, call: _Call) -> None:
        """Answers the call whatever happens; only a cancellation from outside passes through."""
        try:
            await self._forward(call)
            return
        except ClientGone:
            return
        except Exception as caught:  # noqa: BLE001 - the process edge of a proxied request; as_app_error() logs the unexpected
            error = caught
        except BaseException:
            if call.watch.gone:  # our own watcher cancelled us: the upstream is closed by now, and nobody is left to answer
                return
            raise
        finally:
            call.watch.stop()
        if call.watch.gone:
            return
        shown = as_app_error(error, call.route.service)
        path = call.scope["path"]
        if call.answer.status:
            await call.answer.end_stream(shown, path=path, request_id=call.request_id)
        else:
            await call.answer.complete(*render_for_path(shown, path=path, request_id=call.request_id))

    async def _forward(self, call: _Call) -> None:
        scope, headers, route = call.scope, call.headers, call.route
        if headers.upgrade:
            raise NotImplementedHere("no service behind this address speaks another protocol; use HTTP and event streams")
        size_max = self._config.body_size_max
        if headers.content_length is not None and int(headers.content_length) > size_max:
            raise too_large(size_max)
        identity = call.identity = await self._authenticate(scope, headers)
        decision = self._limiter.check(identity, route.route_class)
        if not decision.allowed:
            raise _too_many(decision, "you sent more requests than your limit allows")
        scope["atrium.connection"].take_body_slowly()
        call.answer.add_headers(decision.headers)
        breaker = self._breakers[route.origin]
        wait_s = breaker.wait_s()
        if wait_s > 0:
            self._limiter.refund(identity, route.route_class)
            raise Unavailable(f"{route.service} is down; try again shortly", code="upstream_down", retry_after_s=int(wait_s) + 1)
        body: bytes | AsyncIterator[bytes] | None = None
        if headers.chunked or (headers.content_length is not None and int(headers.content_length) > 0):
            body = await RequestBody(call.receive, size_max=size_max, idle_s=self._config.body_idle_s, watch=call.watch).open()
        else:
            call.watch.start()
        await self._exchange(call, identity, breaker, body)

    async def _exchange(self, call: _Call, identity: Identity, breaker: CircuitBreaker, body: bytes | AsyncIterator[bytes] | None) -> None:
        route, query = call.route, call.scope["query_string"]
        target = call.raw_path + b"?" + query if query else call.raw_path
        outgoing = self._outgoing_headers(call, identity, streamed=body is not None and not isinstance(body, bytes))
        try:
            async with self._pool.request(
                call.scope["method"], route.origin, target, outgoing, body=body, timeouts=self._config.timeouts
            ) as response:
                breaker.succeeded()
                if response.status in _REFUNDED:
                    self._limiter.refund(identity, route.route_class)
                await call.answer.relay(response)
        except UpstreamError as error:
            if not call.answer.status:
                if isinstance(error, UpstreamConnectError | UpstreamDisconnected) and not isinstance(error, UpstreamBusy):
                    breaker.failed()
                if not error.sent:
                    self._limiter.refund(identity, route.route_class)
            raise

    async def _authenticate(self, scope: Scope, headers: RequestHeaders) -> Identity:
        credential = bearer_credential(headers)
        if credential is None:
            raise Unauthenticated("send Authorization: Bearer <token or API key>; POST /api/v1/auth/signin gives a token")
        identity = self._authenticator.remembered(credential)
        if identity is not None:
            return identity
        client = scope.get("client")
        address = client[0] if client else ""
        decision = self._limiter.check_address(address)
        if not decision.allowed:
            raise _too_many(decision, "too many failed credentials came from your address")
        try:
            return await self._authenticator.authenticate(credential)
        except (Unauthenticated, Forbidden):
            self._limiter.count_failure(address)
            raise

    def _outgoing_headers(self, call: _Call, identity: Identity, *, streamed: bool) -> RawHeaders:
        scope, headers = call.scope, call.headers
        outgoing = headers.forwarded
        client = scope.get("client")
        outgoing += (
            (b"authorization", identity.hop_authorization),
            (b"x-request-id", call.request_id.encode("ascii")),
            (b"traceparent", call.trace.traceparent),
            (b"x-forwarded-for", client[0].encode("ascii", "replace") if client else b"unknown"),
            (b"x-forwarded-proto", b"https" if self._config.https else scope["scheme"].encode("ascii")),
            (b"x-forwarded-host", headers.host),
        )
        if streamed and headers.content_length is not None:
            outgoing.append((b"content-length", headers.content_length))
        return outgoing

    # --- answers of the edge itself

    def _check_host(self, host: bytes) -> None:
        hosts = self._config.hosts
        if "*" in hosts:
            return
        name = host.decode("latin-1").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        if name not in hosts:
            raise BadRequest("this Host is not served here; add it to TRUSTED_HOSTS", code="unknown_host")

    async def _preflight(self, scope: Scope, headers: RequestHeaders, send: Send) -> bool:
        """Answers a CORS preflight; False when the request is none."""
        if scope["method"] != "OPTIONS" or headers.origin is None or headers.preflight_method is None:
            return False
        if not self._edge.allows(headers.origin):
            raise Forbidden("this origin may not call the API; an operator can add it to CORS_ALLOW_ORIGINS", code="origin_not_allowed")
        await send({"type": "http.response.start", "status": 204, "headers": self._edge.for_preflight(headers.origin)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    async def _refuse(self, error: AppError, path: str, send: Send) -> None:
        answer = Answer(send, self._edge.for_answer(None))
        await answer.complete(*render_for_path(error, path=path, request_id=sane_request_id(None)))

    async def _refuse_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the server offers the connection first
        error = NotImplementedHere("nothing behind this address speaks WebSocket; live events come as server-sent events")
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": error.detail})
            return
        status, headers, body = render_for_path(error, path=scope["path"], request_id=sane_request_id(None))
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})


def _too_many(decision: Decision, detail: str) -> TooManyRequests:
    error = TooManyRequests(f"{detail}; try again in {decision.retry_after_s} s", retry_after_s=decision.retry_after_s)
    error.headers.update({name.decode(): value.decode() for name, value in decision.headers})
    return error
