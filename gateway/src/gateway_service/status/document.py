"""Several OpenAPI documents become one."""

from collections.abc import Mapping
from typing import Any, cast

_OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics"})
_SCHEMA_REF = "#/components/schemas/"

Document = dict[str, Any]


def merge(own: Document, others: Mapping[str, Document | None]) -> Document:
    """The gateway's document with the public paths of all services; schemas get their service's name as
    prefix.

    Paths under /internal and the operations routes stay out: they are not reached through the gateway.
    """
    paths: Document = dict(own.get("paths", {}))
    schemas: Document = dict(own.get("components", {}).get("schemas", {}))
    for service, document in others.items():
        if document is None:
            continue
        renamed = cast("Document", _with_prefix(document, f"{service}."))
        public = {
            path: item
            for path, item in renamed.get("paths", {}).items()
            if path.startswith(("/api/", "/v1/"))
        }
        paths.update({path: item for path, item in public.items() if path not in paths})
        schemas.update(
            {
                f"{service}.{name}": schema
                for name, schema in renamed.get("components", {}).get("schemas", {}).items()
            }
        )
    return {
        "openapi": "3.1.0",
        "info": {
            **own.get("info", {}),
            "title": "Atrium",
            "description": "What all services answer through the gateway.",
        },
        "paths": {path: item for path, item in sorted(paths.items()) if path not in _OPERATIONS},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "x-atrium-missing": sorted(service for service, document in others.items() if document is None),
    }


def _with_prefix(node: object, prefix: str) -> object:
    """A copy in which every reference to a schema names it with `prefix`."""
    if isinstance(node, list):
        return [_with_prefix(item, prefix) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    copied: dict[object, object] = {}
    for name, value in cast("dict[object, object]", node).items():
        if name == "$ref" and isinstance(value, str) and value.startswith(_SCHEMA_REF):
            copied[name] = _SCHEMA_REF + prefix + value.removeprefix(_SCHEMA_REF)
        else:
            copied[name] = _with_prefix(value, prefix)
    return copied
