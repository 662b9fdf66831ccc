"""Builds a service: what every one of them has, around its own routes."""

import gc
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse

from shared.app.asgi import ServiceApp
from shared.app.error_handlers import handle_errors
from shared.arrows import callers_of
from shared.auth.tokens import ServiceTokens, TokenVerifier
from shared.background import TaskTracker
from shared.hotroutes import HotRoute, openapi_with_hot_routes
from shared.limits import DirectLimits
from shared.logs import AccessLog, setup_logging
from shared.metrics import Metrics
from shared.operations import VERSION, ReadinessCheck, operations_router, reference_router
from shared.settings import ServiceSettings
from shared.succession import Succession
from shared.telemetry import Telemetry

BODY_BYTES_MAX = 4 * 1024 * 1024
# Routes that need no principal, in every service; a service adds its own by `public_paths`.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})

log = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


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

    `lifespan` opens what the service owns; when it starts, `state` already has settings, verifier,
    service_tokens, tasks (TaskTracker), metrics, telemetry and succession. `readiness` maps a dependency's
    name to a check that raises when it does not answer. `body_bytes_max_below` maps the beginning of a path
    to a limit of its own, for routes that read their body as a stream.
    """
    metrics = Metrics(service=settings.service)
    telemetry = Telemetry(service=settings.service, endpoint=settings.otel_exporter_otlp_endpoint)
    api = FastAPI(
        title=title,
        version=VERSION,
        lifespan=_with_drain(lifespan),
        default_response_class=JSONResponse,
        # The framework's page loads its scripts from another site; operations.py has one that does not.
        docs_url=None,
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
    api.state.service_tokens = ServiceTokens(
        signing_key_pem=settings.service_signing_key.get_secret_value(), service=settings.service
    )
    handle_errors(api)
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
    """Call once when a process has started: what exists then lives for good, and the collector need not walk
    it.

    Walking it cost 28 of 34 ms at the 99th percentile of the gateway's hop. Nor is it walked once before:
    half a megabyte of garbage is kept for good, and people wait a tenth of a second less for a service that
    was killed.
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
                log.warning(
                    "%d background tasks did not end within DRAIN_TIMEOUT_S=%s",
                    cancelled,
                    settings.drain_timeout_s,
                )
        cast("Telemetry", api.state.telemetry).shutdown()
        cast("AccessLog", api.state.access_log).flush()

    return run


def _verifier(settings: ServiceSettings) -> TokenVerifier:
    secret = settings.jwt_secret_key
    return TokenVerifier(
        jwks=settings.token_jwks,
        audience=settings.service,
        callers=callers_of(settings.service),
        hs256_secret=secret.get_secret_value() if secret else None,
    )
