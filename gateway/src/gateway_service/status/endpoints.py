"""HTTP of the installation's state and its API reference."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from shared.reference_page import CSP, render

from gateway_service.status.dependencies import InstalledServicesDep
from gateway_service.status.schemas import Alive, InstallationStatus


def build_router() -> APIRouter:
    """The public routes about the installation."""
    router = APIRouter(tags=["status"])

    @router.get("/api/v1/status", summary="How the installation is")
    async def status(services: InstalledServicesDep, response: Response) -> InstallationStatus:
        response.headers["Cache-Control"] = "no-store"
        return await services.status()

    @router.get("/health", summary="The gateway answers; for clients that look here")
    async def health() -> Alive:
        return Alive()

    @router.get("/api/v1/openapi.json", summary="All services in one OpenAPI document")
    async def document(services: InstalledServicesDep) -> dict[str, Any]:
        return await services.document()

    @router.get("/docs", include_in_schema=False, summary="API reference")
    async def docs(services: InstalledServicesDep) -> HTMLResponse:
        page = render(await services.document(), title="Atrium API", document_url="/api/v1/openapi.json")
        return HTMLResponse(page, headers={"Content-Security-Policy": CSP})

    return router
