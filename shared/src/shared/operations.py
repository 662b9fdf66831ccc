"""What every service answers about itself: alive, ready, metrics and its API reference."""

import hmac
from collections.abc import Awaitable, Callable, Mapping

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import State

from shared.auth.tokens import bearer_token
from shared.errors import AppError, Unauthenticated, Unavailable
from shared.metrics import CONTENT_TYPE, Metrics
from shared.reference_page import CSP, render
from shared.settings import ServiceSettings

VERSION = "0.1.0"
ReadinessCheck = Callable[[State], Awaitable[str | None]]
"""Raises AppError when its dependency does not answer; a text it returns is shown and leaves the service
ready.
"""


def operations_router(
    settings: ServiceSettings, metrics: Metrics, readiness: Mapping[str, ReadinessCheck]
) -> APIRouter:
    """The routes of operators and probes. METRICS_TOKEN, when set, guards the metrics."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "service": settings.service, "version": VERSION}

    @router.get(
        "/readyz",
        summary="The service can work",
        responses={503: {"description": "a dependency does not answer"}},
    )
    async def readyz(request: Request) -> Response:
        results: dict[str, str] = {}
        ready = not request.app.state.draining
        if not ready:
            results["shutdown"] = "draining"
        if request.app.state.succession.waits:
            results["succession"], ready = "waits for the former process", False
        for name, check in readiness.items():
            try:
                results[name] = await check(request.app.state) or "ok"
            except AppError as error:
                results[name], ready = error.detail, False
        body = orjson.dumps(
            {
                "status": "ok" if ready else "down",
                "service": settings.service,
                "version": VERSION,
                "checks": results,
            }
        )
        return Response(body, status_code=200 if ready else Unavailable.status, media_type="application/json")

    @router.get("/metrics", summary="Prometheus metrics", include_in_schema=False)
    async def prometheus(request: Request) -> Response:
        _check_metrics_token(settings, request.headers.get("authorization"))
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE.decode()})

    return router


def reference_router(settings: ServiceSettings) -> APIRouter:
    """The API reference of one service, without anything from another site."""
    router = APIRouter(tags=["operations"])

    @router.get("/docs", include_in_schema=False, summary="API reference")
    async def docs(request: Request) -> HTMLResponse:
        page = render(request.app.openapi(), title=settings.service, document_url="/openapi.json")
        return HTMLResponse(page, headers={"Content-Security-Policy": CSP})

    return router


def _check_metrics_token(settings: ServiceSettings, authorization: str | None) -> None:
    if settings.metrics_token is None:
        return
    expected = settings.metrics_token.get_secret_value()
    if not hmac.compare_digest(bearer_token(authorization).encode(), expected.encode()):
        raise Unauthenticated("this is not METRICS_TOKEN")


async def check_database(state: State) -> None:
    """Readiness check of services whose state has `database`."""
    await state.database.ping()
