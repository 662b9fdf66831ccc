"""What the Helm chart takes from the table: the objects of kubernetes/, its values and their schema.

The chart's own templates change these objects by its values, and say nothing of any container.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import yaml

from atrium_manifests.containers import CONTAINERS, PUBLIC_URL
from atrium_manifests.kubernetes import HEADING, cluster_objects
from atrium_manifests.objects import NAME_LABEL, Images, Object
from atrium_manifests.shapes import Container
from atrium_manifests.workloads import CPU_PERCENT, is_scaled

_TEXT: Object = {"type": "string"}
_FREE: Object = {"type": "object"}
_LIST: Object = {"type": "array"}
_PORT: Object = {"type": "integer", "minimum": 1, "maximum": 65_535}
_FLAG: Object = {"type": "boolean"}
_CONFIG: Object = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_PLACING: Mapping[str, Any] = {
    "nodeSelector": {},
    "tolerations": [],
    "affinity": {},
    "priorityClassName": "",
    "podAnnotations": {},
    "extraEnv": [],
    "extraEnvFrom": [],
}
"""What a component may say for itself, and `global` for all."""
_OF_PLACING: Mapping[str, Object] = {
    name: {dict: _FREE, list: _LIST, str: _TEXT}[type(value)] for name, value in _PLACING.items()
}

_NAMED: Mapping[str, Object] = {
    "resources": _FREE,
    "config": _CONFIG,
    "commonLabels": _FREE,
    "annotations": _FREE,
    "replicas": {"type": "integer", "minimum": 0},
    "replicasMax": {"type": "integer", "minimum": 1},
    "cpuPercent": {"type": "integer", "minimum": 1, "maximum": 100},
    "storage": {"type": "string", "pattern": "^[0-9]+[MGT]i$"},
}


def key_of(container: Container) -> str:
    """The name of its block of values: "chatService"."""
    first, *rest = container.name.split("-")
    return first + "".join(part.capitalize() for part in rest)


_WAY_OUT: Object = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "components": {"type": "array", "items": {"enum": [key_of(each) for each in CONTAINERS]}},
        "to": _LIST,
        "ports": _LIST,
    },
}


def helm_files(version: str) -> dict[str, str]:
    """Text by path in the chart's folder."""
    return {
        "Chart.yaml": _chart(version),
        "values.yaml": _values_text(),
        "values.schema.json": json.dumps(_schema(), indent=1) + "\n",
        "files/objects.json": _objects(version),
    }


def default_values() -> dict[str, Any]:
    """The values with which the chart makes what kubernetes/ holds."""
    return {
        "global": {
            "env": "prod",
            "publicUrl": PUBLIC_URL,
            "imageRegistry": "",
            "imageTag": "",
            "mirror": "",
            "imagePullSecrets": [],
            "storageClass": "",
            "arbitraryUser": False,
            "commonLabels": {},
            "config": {},
            **_PLACING,
        },
        "ingress": {
            "enabled": True,
            "className": "",
            "tlsSecret": "atrium-tls",
            "annotations": {},
        },
        "networkPolicies": {
            "enabled": True,
            "providers": True,
            "extraEgress": [],
            "storesNetwork": "",
            "storesPorts": {"postgres": 5432, "redis": 6379, "qdrant": 6333, "objects": 443},
        },
        "migrate": {"hook": False, **_block(_named("migrate"))},
        **{key_of(container): _block(container) for container in CONTAINERS if not container.once},
        "extraObjects": [],
    }


def _named(name: str) -> Container:
    return next(container for container in CONTAINERS if container.name == name)


def _block(container: Container) -> dict[str, Any]:
    """Its values; what `_PLACING` holds may also stand there, and stands in `global` for all."""
    resources = container.resources
    block: dict[str, Any] = {}
    if not container.schema and not container.once:
        block["deploy"] = True
    if container.secrets:
        block["existingSecret"] = container.name
    block["image"] = ""
    if container.schema:
        block["replicas"] = container.replicas
    if is_scaled(container):
        block["autoscaling"] = {
            "enabled": True,
            "replicasMax": container.replicas_max,
            "cpuPercent": CPU_PERCENT,
        }
    block["resources"] = {
        "requests": {"cpu": resources.cpu, "memory": resources.memory},
        "limits": {"memory": resources.memory_max},
    }
    if lasting := [folder for folder in container.folders if folder.lasting]:
        block["storage"] = lasting[0].size
    return {**block, "config": {}, "extraVolumes": [], "extraVolumeMounts": []}


_ABOUT = {
    "global": "for every component; lists are added to, anything else is the component's when it has its own",
    "ingress": "the way in; its host is that of global.publicUrl",
    "networkPolicies": "default deny, and what is drawn",
    "migrate": "the migration Job; hook: before an upgrade, for a database that is not part of the release",
    "extraObjects": "objects of your own",
}


def _values_text() -> str:
    about = _ABOUT | {key_of(each): each.purpose for each in CONTAINERS if not each.once}
    parts = [f"# {HEADING}\n"]
    for name, value in default_values().items():
        body = yaml.safe_dump({name: value}, sort_keys=False, width=110)
        parts.append(f"\n# -- {about[name]}\n{body}")
    return "".join(parts)


def _schema() -> Object:
    """Every value by name; one that is misspelt is refused."""
    values = default_values()
    blocks = {
        name: _schema_of(value, more=_OF_PLACING if "resources" in value else {})
        for name, value in values.items()
    }
    blocks["global"]["properties"]["env"] = {"enum": ["dev", "prod"]}
    blocks["global"]["properties"]["publicUrl"] = {"type": "string", "pattern": "^https?://[^/]+$"}
    blocks["global"]["properties"] |= _OF_PLACING
    blocks["networkPolicies"]["properties"]["extraEgress"] = {"type": "array", "items": _WAY_OUT}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": blocks,
    }


def _schema_of(value: Any, *, more: Mapping[str, Object] = MappingProxyType({})) -> Object:
    if not isinstance(value, dict):
        return {bool: _FLAG, str: _TEXT, list: _LIST, int: _PORT}[type(value)]
    block = cast("dict[str, Any]", value)
    properties = {name: _NAMED.get(name) or _schema_of(each) for name, each in block.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties | dict(more)}


def _objects(version: str) -> str:
    """One object a line, with the blocks of values that it is of and that must be deployed for it."""
    lines = [
        json.dumps(_entry(each), separators=(",", ":"))
        for each in cluster_objects(Images(version))
        if each["kind"] != "Namespace"
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _entry(each: Object) -> Object:
    keys = {container.name: key_of(container) for container in CONTAINERS}
    component = keys.get(each["metadata"]["labels"].get(NAME_LABEL, ""), "")
    needs = [component] if component else []
    if each["kind"] == "NetworkPolicy":
        ends = each["metadata"]["name"].replace("-from-", " ").replace("-to-", " ").split()
        needs = [keys[name] for name in ends if name in keys]
    return {"component": component, "needs": needs, "object": each}


def _chart(version: str) -> str:
    chart = {
        "apiVersion": "v2",
        "name": "atrium",
        "description": "Self-hosted AI platform: chat, OpenAI-compatible gateway, metering and billing",
        "type": "application",
        "version": version,
        "appVersion": version,
        "kubeVersion": ">=1.30.0-0",
    }
    return f"# {HEADING}\n" + yaml.safe_dump(chart, sort_keys=False)
