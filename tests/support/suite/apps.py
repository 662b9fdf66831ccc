"""Every service's application, composed but not started, and a flat list of its routes with what
guards each.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from atrium_local.services import GATEWAY, SERVICES, Service
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from identities import KeyRing
from shared.app.asgi import ServiceApp
from shared.app.service import PUBLIC_PATHS
from shared.auth.guards import Require, RequireService, current_principal
from shared.settings import ServiceSettings

NOWHERE = "postgresql://nobody:nothing@127.0.0.1:9/nothing"
KEYS = KeyRing()


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """One route: `guard` is a permission, `internal:<services>`, `principal` (any verified caller)
    or None.
    """

    service: str
    method: str
    path: str
    guard: str | None
    hot: bool = False
    metered: bool = False

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@cache
def composed(service: Service) -> Any:
    """What the service's create_app() returns: a ServiceApp, for the gateway the proxy around one."""
    settings_module = importlib.import_module(f"{service.package}.settings")
    main_module = importlib.import_module(f"{service.package}.main")
    (settings_class,) = (
        found
        for found in vars(settings_module).values()
        if isinstance(found, type) and issubclass(found, ServiceSettings) and found is not ServiceSettings
    )
    return main_module.create_app(settings_class(**KEYS.settings_fields(service.name, database_url=NOWHERE)))


def service_app(service: Service) -> ServiceApp:
    """The application that answers the service's own routes."""
    app = composed(service)
    return app if isinstance(app, ServiceApp) else app._fallback


def public_paths(service: Service) -> frozenset[str]:
    """Paths the service declares to need no credential, by its one constant and that of every service."""
    main_module = importlib.import_module(f"{service.package}.main")
    own: frozenset[str] = getattr(main_module, "PUBLIC_PATHS", frozenset())
    return PUBLIC_PATHS | own


def routes_of(service: Service) -> Iterator[RouteInfo]:
    """Every route of the service's own, hot ones first."""
    app = service_app(service)
    for hot in app.hot_routes:
        guard = (
            f"internal:{','.join(sorted(hot.services))}"
            if hot.services
            else hot.permission and hot.permission.value
        )
        yield RouteInfo(service.name, hot.method, hot.path, guard, hot=True, metered=hot.metered)
    for context in iter_route_contexts(app.api.routes):
        for method in sorted(context.methods or {"(any)"}):
            yield RouteInfo(service.name, method, str(context.path), _guard_of(context))


def all_routes() -> list[RouteInfo]:
    """Every route of every service."""
    return [route for service in SERVICES for route in routes_of(service)]


def dependency_calls(service: Service) -> Iterator[Any]:
    """What FastAPI calls before each route of the service."""
    for context in iter_route_contexts(service_app(service).api.routes):
        if isinstance(context.original_route, APIRoute):
            yield from _calls(context.dependant)


def gateway_prefixes() -> list[tuple[bytes, str]]:
    """The proxy's table: path prefix and service."""
    return [(route.prefix, route.service) for route in composed(GATEWAY)._routes.values()]


def _guard_of(context: RouteContext) -> str | None:
    if not isinstance(context.original_route, APIRoute):
        return None
    dependant: Dependant = context.dependant
    guards = [guard for guard in map(_guard_of_call, _calls(dependant)) if guard is not None]
    named = [guard for guard in guards if guard != "principal"]
    return (named or guards or [None])[0]


def _calls(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _guard_of_call(call: Any) -> str | None:
    if isinstance(call, Require):
        return call.permission.value
    if isinstance(call, RequireService):
        return f"internal:{','.join(sorted(call.services))}"
    return "principal" if call is current_principal else None
