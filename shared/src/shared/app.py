"""The shell of every service: errors, request ids, traces, metrics, health and one access line, around FastAPI and the hot routes."""

import gc
import logging
import random
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from shared.adapters.uvicorn_http import CorkedProtocol, install
from shared.arrows import callers_of
from shared.auth import Permission, ServiceTokens, TokenVerifier, presented_token
from shared.background import TaskTracker
from shared.corking import Cork
from shared.errors import AppError, Headers, Invalid, NotFound, PayloadTooLarge, UnsupportedMediaType, render_for_path
from shared.hotroutes import ClientGone, HotRequest, HotRoute, HotTable, openapi_with_hot_routes
from shared.limits import DirectLimits
from shared.logs import AccessLog, request_id_var, setup_logging
from shared.metrics import Metrics
from shared.operations import VERSION, ReadinessCheck, operations_router, reference_router
from shared.outages import answer_outages, database_down, is_outage, unusable_text
from shared.settings import ServiceSettings
from shared.succession import Succession
from shared.telemetry import RequestTrace, Telemetry, traceparent_var

BODY_BYTES_MAX = 4 * 1024 * 1024
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

log = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

# Routes that need no principal, in every service; a service adds its own by `public_paths`.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})


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
        except Exception as error:
            # The process edge of a hot route: the client gets no exception text.
            if (refused := unusable_text(error)) is not None:
                await exchange.send_error(refused, incoming.scope["path"])
                return
            if is_outage(error):
                log.warning("database out of reach", extra={"reason": type(error).__name__})
                await exchange.send_error(database_down(), incoming.scope["path"])
                return
            log.exception("hot route %s failed", route.path)
            await exchange.send_error(
                AppError("something went wrong on our side; quote the request id to your operator"), incoming.scope["path"]
            )

    async def _run_api(self, scope: Scope, receive: Receive, exchange: "_Exchange", headers: Mapping[bytes, bytes]) -> None:
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
                # FastAPI turns what is raised while it reads a body into a 400; _on_http_exception finds this instead.
                scope["atrium.body_error"] = _body_too_large(size_max)
                raise scope["atrium.body_error"]
            return message

        await self.api(scope, receive_limited, exchange.send)

    def _body_limit(self, path: str) -> int:
        for prefix, size_max in self._body_bytes_max_below:
            if path.startswith(prefix):
                return size_max
        return self._body_bytes_max

    def _finish(self, method: str, route: str, exchange: "_Exchange", trace: RequestTrace, duration_s: float) -> None:
        status = exchange.status
        self.metrics.observe_request(method, route, status, duration_s)
        trace.annotate({"http.route": route, "http.response.status_code": status})
        trace.end(failed=status >= 500)
        if route not in _QUIET_ROUTES:
            self._access_log.write(request_id=exchange.request_id, method=method, route=route, status=status, duration_s=duration_s)


def _encoded_body(headers: Mapping[bytes, bytes]) -> UnsupportedMediaType:
    encoding = headers[b"content-encoding"].decode("latin-1")[:40]
    return UnsupportedMediaType(f"a body with content-encoding {encoding} is not read; send it as it is", code="content_encoding")


def _body_too_large(size_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {size_max} bytes; send less")


class _Incoming:
    """One request on its way to a hot handler."""

    __slots__ = ("exchange", "headers", "receive", "request_id", "scope", "trace")

    def __init__(
        self, scope: Scope, receive: Receive, exchange: "_Exchange", headers: Mapping[bytes, bytes], request_id: str, trace: RequestTrace
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


def _error_response(request: Request, error: AppError) -> Response:
    status, headers, body = render_for_path(error, path=request.url.path, request_id=request.scope.get("atrium.request_id", ""))
    response = Response(content=body, status_code=status)
    response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return response


async def _on_app_error(request: Request, error: Exception) -> Response:
    return _error_response(request, cast("AppError", error))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    problems = [
        {"field": ".".join(str(part) for part in item["loc"]), "code": item["type"], "detail": item["msg"]}
        for item in cast("RequestValidationError", error).errors()[:20]
    ]
    first = problems[0] if problems else {"field": "body", "detail": "is not valid"}
    return _error_response(request, Invalid(f"{first['field']}: {first['detail']}", errors=problems))


class _StatusError(AppError):
    """An error of the framework itself, with the framework's status."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail), code=f"http_{error.status_code}", headers=error.headers)
        self.status = error.status_code  # pyright: ignore[reportAttributeAccessIssue] - one instance, one status
        self.title = HTTPStatus(error.status_code).phrase  # pyright: ignore[reportAttributeAccessIssue] - as above


async def _on_http_exception(request: Request, error: Exception) -> Response:
    http_error = cast("HTTPException", error)
    if (body_error := request.scope.get("atrium.body_error")) is not None:
        return _error_response(request, body_error)
    if http_error.status_code == 404:
        return _error_response(request, NotFound("there is nothing at this address"))
    return _error_response(request, _StatusError(http_error))


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _error_response(request, AppError("something went wrong on our side; quote the request id to your operator"))


def _verifier(settings: ServiceSettings) -> TokenVerifier:
    secret = settings.jwt_secret_key
    return TokenVerifier(
        jwks=settings.token_jwks,
        audience=settings.service,
        callers=callers_of(settings.service),
        hs256_secret=secret.get_secret_value() if secret else None,
    )


def create_service_app(
    settings: ServiceSettings,
    *,
    title: str,
    lifespan: Lifespan,
    routers: Sequence[APIRouter] = (),
    hot_routes: Sequence[HotRoute] = (),
    readiness: Mapping[str, ReadinessCheck] | None = None,
    body_bytes_max: int = BODY_BYTES_MAX,
    body_bytes_max_below: Mapping[str, int] | None = None,
) -> ServiceApp:
    """A service's outer ASGI callable.

    `lifespan` opens what the service owns; when it starts, `state` already has settings, verifier, service_tokens, tasks (TaskTracker),
    metrics, telemetry and succession. `readiness` maps a dependency's name to a check that raises when it does not answer.
    `body_bytes_max_below` maps the beginning of a path to a limit of its own, for routes that read their body as a stream.
    """
    metrics = Metrics(service=settings.service)
    telemetry = Telemetry(service=settings.service, endpoint=settings.otel_exporter_otlp_endpoint)
    api = FastAPI(
        title=title,
        version=VERSION,
        lifespan=_with_drain(lifespan),
        default_response_class=JSONResponse,
        docs_url=None,  # the framework's page loads its scripts from another site; operations.py has one that does not
        redoc_url=None,
        redirect_slashes=False,  # it would send a client of the gateway to this service's own address
    )
    api.state.settings = settings
    api.state.metrics = metrics
    api.state.telemetry = telemetry
    api.state.tasks = TaskTracker()
    api.state.draining = False
    api.state.succession = Succession()
    api.state.direct_limits = DirectLimits(per_minute=settings.direct_calls_per_minute)
    api.state.access_log = AccessLog(settings.service)
    api.state.verifier = _verifier(settings)
    api.state.service_tokens = ServiceTokens(signing_key_pem=settings.service_signing_key.get_secret_value(), service=settings.service)
    api.add_exception_handler(AppError, _on_app_error)
    api.add_exception_handler(RequestValidationError, _on_validation_error)
    api.add_exception_handler(HTTPException, _on_http_exception)
    api.add_exception_handler(Exception, _on_unexpected)
    answer_outages(api)
    api.include_router(operations_router(settings, metrics, readiness or {}))
    for router in routers:
        api.include_router(router)
    api.include_router(reference_router(settings))  # last: a service may have a /docs of its own
    api.openapi = openapi_with_hot_routes(api, tuple(hot_routes))
    return ServiceApp(
        api,
        hot_routes=hot_routes,
        metrics=metrics,
        telemetry=telemetry,
        body_bytes_max=body_bytes_max,
        body_bytes_max_below=body_bytes_max_below or {},
    )


def settle_memory() -> None:
    """Call once when a process has started: what exists then lives for good, and the collector need not walk it.

    Walking it cost 28 of 34 ms at the 99th percentile of the gateway's hop. Nor is it walked once before: half a megabyte of garbage is
    kept for good, and people wait a tenth of a second less for a service that was killed.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _with_drain(lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def run(api: FastAPI) -> AsyncGenerator[None]:
        settings = cast("ServiceSettings", api.state.settings)
        setup_logging(service=settings.service, level=settings.log_level)
        async with lifespan(api):
            settle_memory()
            yield
            api.state.draining = True
            cancelled = await cast("TaskTracker", api.state.tasks).drain(settings.drain_timeout_s)
            if cancelled:
                log.warning("%d background tasks did not end within DRAIN_TIMEOUT_S=%s", cancelled, settings.drain_timeout_s)
        cast("Telemetry", api.state.telemetry).shutdown()
        cast("AccessLog", api.state.access_log).flush()

    return run


def guarded_routes(app: ServiceApp) -> list[tuple[str, str, Permission | None]]:
    """Method, path and permission of every hot route; for walk tests."""
    return [(route.method, route.path, route.permission) for route in app.hot_routes]
