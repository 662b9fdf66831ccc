"""Every route is public by name or authorised, and whatever reaches a provider is metered."""

from typing import Any

from fastapi.routing import APIRoute
from inference_service.main import HOT_ROUTES
from shared.app.service import PUBLIC_PATHS
from shared.auth.guards import Require, RequireService

REACHES_A_PROVIDER = {"/v1/chat/completions", "/v1/embeddings", "/v1/rerank"}


def guards(dependant: Any) -> list[object]:
    own = [dependant.call] if isinstance(dependant.call, Require | RequireService) else []
    return own + [guard for child in dependant.dependencies for guard in guards(child)]


async def test_every_route_is_guarded(running: Any) -> None:
    for route in running.app.api.routes:
        if isinstance(route, APIRoute) and route.path not in PUBLIC_PATHS:
            assert guards(route.dependant), f"{route.path} has no guard"
    assert all(route.permission or route.services for route in HOT_ROUTES)


def test_every_route_that_reaches_a_provider_is_metered() -> None:
    assert {route.path for route in HOT_ROUTES if route.metered} == REACHES_A_PROVIDER


async def test_the_hot_routes_are_in_the_openapi_document(running: Any) -> None:
    paths = (await running.client.get("/openapi.json")).json()["paths"]
    assert set(paths) >= REACHES_A_PROVIDER
