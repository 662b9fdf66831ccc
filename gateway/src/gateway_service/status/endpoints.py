"""HTTP of the installation's state and its API reference."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from gateway_service.status.page import render
from gateway_service.status.schemas import Alive, InstallationStatus
from gateway_service.status.service import Installation

# The page has its own styles inline and nothing else.
_DOCS_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


async def _installation(request: Request) -> Installation:
    return cast("Installation", request.app.state.installation)


InstallationDep = Annotated[Installation, Depends(_installation)]


def build_router() -> APIRouter:
    """The public routes about the installation."""
    router = APIRouter(tags=["status"])

    @router.get("/api/v1/status", summary="How the installation is")
    async def status(installation: InstallationDep, response: Response) -> InstallationStatus:
        response.headers["Cache-Control"] = "no-store"
        return await installation.status()

    @router.get("/health", summary="The gateway answers; for clients that look here")
    async def health() -> Alive:
        return Alive()

    @router.get("/api/v1/openapi.json", summary="All services in one OpenAPI document")
    async def document(installation: InstallationDep) -> dict[str, Any]:
        return await installation.document()

    @router.get("/docs", include_in_schema=False, summary="API reference")
    async def docs(installation: InstallationDep) -> HTMLResponse:
        page = render(await installation.document())
        return HTMLResponse(page, headers={"Content-Security-Policy": _DOCS_CSP})

    return router
