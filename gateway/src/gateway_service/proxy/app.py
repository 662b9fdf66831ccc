"""The outer ASGI callable of port 8000: paths of a service go to its process, everything else to the
gateway's own application.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from shared.adapters.uvicorn_http import install
from shared.background import TaskTracker
from shared.breaker import CircuitBreaker
from shared.corking import Cork
from shared.errors import AppError, Forbidden, TooManyRequests, Unauthenticated, Unavailable, render_for_path
from shared.hotroutes import ClientGone
from shared.http import (
    Timeouts,
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamPool,
    UpstreamTimeout,
)
from shared.logs import request_id_var
from shared.outages import database_down
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.adapters.uvicorn_http import GuardedProtocol
from gateway_service.connections.guard import ConnectionGuard
from gateway_service.identity.ports import Authenticator, Identity
from gateway_service.limits.ports import Decision, Limiter, decided
from gateway_service.proxy.breaker import Breakers
from gateway_service.proxy.call import Call
from gateway_service.proxy.client import believe_proxies, check_host
from gateway_service.proxy.compression import compressing
from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.edge import Edge, NotImplementedHere
from gateway_service.proxy.forward import (
    ProxyAnswer,
    RequestBody,
    as_app_error,
    is_openai_path,
    too_large,
)
from gateway_service.proxy.headers import RequestHeaders, bearer_credential, sort_request_headers
from gateway_service.proxy.instruments import Instruments
from gateway_service.proxy.paths import check_closed, check_raw_path
from gateway_service.proxy.routes import ANSWER_S, Route
from gateway_service.web.build import accepted_codings

# What a refusal for lack of money or quota cost. 403 is no accident: whoever asks for what they may not have
# pays for asking.
_FORGIVEN = frozenset({402, 429})
_EVENTS = b"text/event-stream"
_CLIENT_CLOSED = 499
_NOTICEABLE_S = 0.1


class ProxyApp:
    """`fallback` answers what no route claims; it also gets the lifespan. The caller owns the pool and closes
    it.
    """

    protocol_class = GuardedProtocol

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        fallback: ASGIApp,
        authenticator: Authenticator,
        limiter: Limiter,
        pool: UpstreamPool,
        instruments: Instruments,
        config: ProxyConfig | None = None,
    ) -> None:
        self._fallback = fallback
        self._authenticator = authenticator
        self._limiter = limiter
        self._pool = pool
        self._metrics, self._telemetry, self._access_log = (
            instruments.metrics,
            instruments.telemetry,
            instruments.access_log,
        )
        self._calls: set[Call] = set()
        self._tasks = TaskTracker()
        self._config = config or ProxyConfig()
        self._edge = Edge(self._config)
        self.guard = ConnectionGuard(self._config.connections, lambda: pool.connections)
        self.cork = Cork()
        install()
        self._routes = {route.prefix: route for route in routes}
        self._labels = {route.prefix: route.prefix.decode("ascii") for route in routes}
        prefixes = sorted(self._routes, key=len, reverse=True)
        self._prefix = (
            re.compile(b"(" + b"|".join(map(re.escape, prefixes)) + rb")(?=/|$)")
            if prefixes
            else re.compile(rb"(?!)")
        )
        self.breakers = Breakers(
            (route.origin for route in routes),
            pool,
            failures_max=self._config.breaker_failures_max,
            open_s=self._config.breaker_open_s,
        )
        self._timeouts: dict[float, Timeouts] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._edge.refuse_websocket(scope, receive, send)
        else:
            install()  # uvicorn's command loads h11 after the application
            await self._fallback(scope, receive, send)

    def route_of(self, raw_path: bytes) -> Route | None:
        """The route whose prefix the raw path has, as whole segments."""
        match = self._prefix.match(raw_path)
        return self._routes[match[1]] if match else None

    # --- one request

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes = scope["raw_path"]
        path: str = scope["path"]
        try:
            headers = sort_request_headers(scope["headers"])
            check_raw_path(raw_path)
            check_closed(path)
            check_host(headers.host, self._config.hosts)
            if self._config.trusted_proxies:
                believe_proxies(scope, headers, self._config.trusted_proxies)
            if scope["method"] == "OPTIONS" and await self._edge.preflight(scope, headers, send):
                return
        except AppError as error:
            await self._edge.refuse(error, scope, send)
            return
        route = self.route_of(raw_path)
        if route is None:
            answer = self._edge.wrap(send, headers.origin)
            await self._own(
                scope,
                receive,
                compressing(answer, path, accepted_codings(headers.accept_encoding.decode("latin-1"))),
            )
            return
        trace = self._telemetry.start(scope["method"], headers.traceparent)
        call = Call(scope, receive, route, headers, trace)
        request_id_var.set(call.request_id)
        extra = self._edge.for_answer(headers.origin)
        extra.append((b"x-request-id", call.request_id.encode("ascii")))
        call.answer = ProxyAnswer(scope, send, extra)
        self._calls.add(call)
        try:
            await self._serve(call)
        finally:
            self._calls.discard(call)
            self._finish(call, self._labels[route.prefix])

    def _finish(self, call: Call, label: str) -> None:
        status, duration_s = call.answer.status or _CLIENT_CLOSED, time.perf_counter() - call.started_s
        method: str = call.scope["method"]
        self._metrics.observe_request(method, label, status, duration_s)
        self._access_log.write(
            request_id=call.request_id, method=method, route=label, status=status, duration_s=duration_s
        )
        call.trace.end(failed=status >= 500)

    def end_calls(self, ends: Callable[[Identity], bool], reason: AppError) -> None:
        """Ends what is being answered for those who lost access; a stream is told the reason."""
        for call in tuple(self._calls):
            if call.identity is not None and call.cut_by is None and ends(call.identity):
                call.cut_by = reason
                call.task.cancel()

    async def _own(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer of the gateway itself, in time: what it waits for, mostly the database, may be frozen."""
        begun = late = False

        async def send_in_time(message: Message) -> None:
            nonlocal begun
            if not late:
                begun = True
                await send(message)

        work = self._tasks.spawn(
            _run(self._fallback(scope, receive, send_in_time)), "own route", claimed=True
        )
        try:
            await asyncio.wait({work}, timeout=self._config.own_answer_s)
            late = not begun and not work.done()
            if not late:
                await work
        finally:
            work.cancel()
        if late:
            error = Unavailable(
                "this takes too long just now; try again in a moment", code="too_slow", retry_after_s=2
            )
            await self._edge.refuse(error, scope, send)

    async def _serve(self, call: Call) -> None:
        """Answers the call whatever happens; only a cancellation from outside passes through."""
        try:
            await self._forward(call)
            return
        except ClientGone:
            return
        # The process edge of a proxied request; as_app_error() logs the unexpected.
        except Exception as caught:  # noqa: BLE001
            error = caught
        except BaseException:
            if (
                call.watch.gone
            ):  # our own watcher cancelled us: the upstream is closed by now, and nobody is left to answer
                return
            if call.cut_by is None:
                raise
            call.task.uncancel()
            error = call.cut_by
        finally:
            call.watch.stop()
        if call.watch.gone:
            return
        path = call.scope["path"]
        shown = as_app_error(
            error, call.route.service, resumable=call.answer.event_stream and not is_openai_path(path)
        )
        if call.answer.status:
            await call.answer.end_stream(shown, path=path, request_id=call.request_id)
        else:
            await call.answer.complete(*render_for_path(shown, path=path, request_id=call.request_id))

    async def _forward(self, call: Call) -> None:
        scope, headers, route = call.scope, call.headers, call.route
        if headers.upgrade:
            raise NotImplementedHere(
                "no service behind this address speaks another protocol; use HTTP and event streams"
            )
        size_max = self._config.body_size_max
        if headers.content_length is not None and int(headers.content_length) > size_max:
            raise too_large(size_max)
        identity = call.identity = self._remembered(headers) or await self._authenticate(scope, headers)
        decision = self._limiter.check(identity, route.route_class)
        if not isinstance(decision, Decision):
            decision = await decision
        if not decision.allowed:
            raise _too_many(decision, "you sent more requests than your limit allows")
        call.connection.take_body_slowly()
        call.answer.add_headers(decision.headers)
        breaker = self.breakers.of(route.origin)
        if breaker.wait_s() > 0:
            self._limiter.refund(identity, route.route_class)
            raise Unavailable(
                f"{route.service} is down; try again shortly", code="upstream_down", retry_after_s=2
            )
        body: bytes | AsyncIterator[bytes] | None = None
        if headers.chunked or (headers.content_length is not None and int(headers.content_length)):
            body = call.connection.body_at_hand(scope)
            if body is None:
                body = await RequestBody(
                    call.receive, size_max=size_max, idle_s=self._config.body_idle_s, watch=call.watch
                ).open()
            elif len(body) > size_max:
                raise too_large(size_max)
        if body is None or isinstance(body, bytes):
            call.watch.start()
        await self._exchange(call, identity, breaker, body)

    async def _exchange(
        self,
        call: Call,
        identity: Identity,
        breaker: CircuitBreaker,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> None:
        route, query = call.route, call.scope["query_string"]
        target = call.raw_path + b"?" + query if query else call.raw_path
        outgoing = call.outgoing_headers(
            identity,
            https=self._config.https,
            streamed=body is not None and not isinstance(body, bytes),
        )
        timeouts = self._timeouts_of(call)
        exchange = self._pool.request(
            call.scope["method"], route.origin, target, outgoing, body=body, timeouts=timeouts
        )
        try:
            response = await exchange.open()
            breaker.succeeded()
            if response.status in _FORGIVEN:
                self._limiter.forgive(identity, route.route_class)
            rest = call.answer.begin(response, route.raw_origin)
            if rest is not None:
                await call.answer.relay(response, rest)
        except UpstreamError as error:
            if not call.answer.status:
                if _says_down(error, timeouts):
                    breaker.failed()
                if not error.sent:
                    self._limiter.refund(identity, route.route_class)
            raise
        finally:
            exchange.close()

    def _timeouts_of(self, call: Call) -> Timeouts:
        """The patience of the route, less what finding out who calls has used of it."""
        first_byte_s = call.route.first_byte_s(
            call.scope["method"], call.raw_path, wants_events=_EVENTS in call.headers.accept
        )
        if first_byte_s <= ANSWER_S:
            spent_s = time.perf_counter() - call.started_s
            if spent_s > _NOTICEABLE_S:
                return self._within(max(1.0, first_byte_s - spent_s))
        timeouts = self._timeouts.get(first_byte_s)
        if timeouts is None:
            timeouts = self._timeouts[first_byte_s] = self._within(first_byte_s)
        return timeouts

    def _within(self, first_byte_s: float) -> Timeouts:
        longest = self._config.timeouts
        first_byte_s = min(first_byte_s, longest.first_byte_s)
        return replace(longest, first_byte_s=first_byte_s, write_s=min(longest.write_s, first_byte_s))

    def _remembered(self, headers: RequestHeaders) -> Identity | None:
        credential = bearer_credential(headers)
        return None if credential is None else self._authenticator.remembered(credential)

    async def _authenticate(self, scope: Scope, headers: RequestHeaders) -> Identity:
        credential = bearer_credential(headers)
        if credential is None:
            raise Unauthenticated(
                "send Authorization: Bearer <token or API key>; POST /api/v1/auth/signin gives a token"
            )
        try:
            async with asyncio.timeout(self._config.identity_s):
                return await self._authenticator.authenticate(credential)
        except TimeoutError:
            raise database_down() from None
        except (Unauthenticated, Forbidden):
            client = scope.get("client")
            decision = await decided(self._limiter.count_failure(client[0] if client else ""))
            if not decision.allowed:
                raise _too_many(decision, "too many failed credentials came from your address") from None
            raise


async def _run(work: Awaitable[None]) -> None:
    await work


def _says_down(error: UpstreamError, timeouts: Timeouts) -> bool:
    """Whether the service itself failed. A model or a file may keep a healthy one busy for minutes, an
    ordinary answer may not.
    """
    if isinstance(error, UpstreamBusy):
        return False
    if isinstance(error, UpstreamTimeout):
        return error.phase == "connect" or (
            error.phase in {"first_byte", "write"} and timeouts.first_byte_s <= ANSWER_S
        )
    return isinstance(error, UpstreamConnectError | UpstreamDisconnected)


def _too_many(decision: Decision, detail: str) -> TooManyRequests:
    error = TooManyRequests(
        f"{detail}; try again in {decision.retry_after_s} s", retry_after_s=decision.retry_after_s
    )
    error.headers.update({name.decode(): value.decode() for name, value in decision.headers})
    return error
