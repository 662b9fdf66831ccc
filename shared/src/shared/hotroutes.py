"""Routes too hot for FastAPI: one table a service, feeding dispatch, OpenAPI and the walk tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.types import Receive, Scope, Send

from shared.auth.permissions import Permission
from shared.auth.principal import Principal, require_service_in
from shared.errors import BadRequest, Headers, PayloadTooLarge, Unauthenticated
from shared.telemetry import RequestTrace


class ClientGone(Exception):
    """The client closed its connection; nobody reads an answer."""


@dataclass(slots=True)
class HotRequest:
    """What a hot handler gets: raw ASGI and the verified caller."""

    scope: Scope
    receive: Receive
    send: Send
    principal: Principal
    request_id: str
    trace: RequestTrace
    path_params: dict[str, str]
    state: Any

    async def body(self, size_max: int) -> bytes:
        """The whole request body. Raises: PayloadTooLarge, ClientGone."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > size_max:
                raise PayloadTooLarge(f"the body is larger than {size_max} bytes; send less")
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def json_object(self, size_max: int) -> dict[str, Any]:
        """The body parsed as a JSON object. Raises: PayloadTooLarge, BadRequest, ClientGone."""
        try:
            parsed = orjson.loads(await self.body(size_max))
        except orjson.JSONDecodeError:
            raise BadRequest("the body is not valid JSON", code="invalid_json") from None
        if not isinstance(parsed, dict):
            raise BadRequest("the body must be a JSON object", code="invalid_json")
        return parsed  # pyright: ignore[reportUnknownVariableType] - JSON objects have string keys

    async def send_bytes(self, status: int, body: bytes, headers: Headers) -> None:
        """One complete answer."""
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def send_json(self, status: int, value: Any, headers: Headers | None = None) -> None:
        """`value` as JSON, in one message."""
        await self.send_bytes(
            status,
            orjson.dumps(value, default=str),
            [(b"content-type", b"application/json"), *(headers or [])],
        )


Handler = Callable[[HotRequest], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HotRoute:
    """One hot route. Exactly one of `permission` and `services` guards it; `path` may hold `{name}`
    segments.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    permission: Permission | None = None
    services: frozenset[str] = frozenset()
    metered: bool = False
    request_model: type[BaseModel] | None = None
    response_model: type[BaseModel] | None = None
    envelope: Literal["problem", "openai"] = "problem"

    def authorise(self, principal: Principal) -> None:
        """Raises: Forbidden; Unauthenticated for a bare service token on a person's route."""
        if self.services:
            require_service_in(principal, self.services)
            return
        if self.permission is None:
            raise RuntimeError(f"hot route {self.path} has no guard")
        if principal.user_id is None:
            raise Unauthenticated("this route acts for a person; a service must say for whom")
        principal.require(self.permission)


@dataclass(slots=True)
class HotTable:
    """Finds a route by method and raw path: exact paths by dictionary, templates by segments."""

    routes: tuple[HotRoute, ...]
    _exact: dict[tuple[str, str], HotRoute] = field(init=False)
    _templates: list[tuple[str, list[str], HotRoute]] = field(init=False)

    def __post_init__(self) -> None:
        self._exact = {(route.method, route.path): route for route in self.routes if "{" not in route.path}
        self._templates = [
            (route.method, route.path.split("/"), route) for route in self.routes if "{" in route.path
        ]

    def match(self, method: str, path: str) -> tuple[HotRoute, dict[str, str]] | None:
        """The route and its path parameters, or None."""
        route = self._exact.get((method, path))
        if route is not None:
            return route, {}
        if not self._templates:
            return None
        segments = path.split("/")
        for template_method, template, candidate in self._templates:
            if template_method == method and len(template) == len(segments):
                params = _match_segments(template, segments)
                if params is not None:
                    return candidate, params
        return None


def _match_segments(template: list[str], segments: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for expected, actual in zip(template, segments, strict=True):
        if expected.startswith("{"):
            if not actual:
                return None
            params[expected[1:-1]] = actual
        elif expected != actual:
            return None
    return params


def add_to_openapi(document: dict[str, Any], routes: tuple[HotRoute, ...]) -> None:
    """Describe `routes` in an OpenAPI document as FastAPI describes its own."""
    models = [
        (model, "validation")
        for route in routes
        for model in (route.request_model, route.response_model)
        if model
    ]
    mapping, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType] - literal mode widened
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}))
    for route in routes:
        path = route.path.replace("/", "_").replace("{", "").replace("}", "")
        operation: dict[str, Any] = {
            "summary": route.summary,
            "operationId": f"{route.method.lower()}{path}",
            "responses": {"200": {"description": "OK"}},
            "security": [{"bearer": []}],
        }
        if route.request_model:
            # As above.
            schema = mapping[(route.request_model, "validation")]  # pyright: ignore[reportArgumentType]
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        if route.response_model:
            # As above.
            schema = mapping[(route.response_model, "validation")]  # pyright: ignore[reportArgumentType]
            operation["responses"]["200"]["content"] = {"application/json": {"schema": schema}}
        document.setdefault("paths", {}).setdefault(route.path, {})[route.method.lower()] = operation


def openapi_with_hot_routes(api: FastAPI, routes: tuple[HotRoute, ...]) -> Callable[[], dict[str, Any]]:
    """A replacement of `api.openapi` that includes `routes`."""
    original = api.openapi

    def build() -> dict[str, Any]:
        document = original()
        if routes and routes[0].path not in document.get("paths", {}):
            add_to_openapi(document, routes)
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        return document

    return build
