"""The pod of a container: all that the `restricted` profile of Pod Security asks for, and no more rights."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from atrium_manifests.containers import CODE, COMMON, HOME, OPERATIONS_IMAGE, schema_wait
from atrium_manifests.objects import Images, labels_of, selector_of
from atrium_manifests.shapes import Container, Folder, ProcessCheck, Resources

SERVICE_ACCOUNT = "atrium"
COMMON_CONFIG = "atrium"
LEAVING_S = 5  # until every node has heard that a pod leaves, new connections still come to it
CHECKSUM = "atrium.dev/config-checksum"
_PROBE_TIMEOUT_S = 5
_WAIT = Resources("20m", "128Mi", "256Mi")


def pod_template(container: Container, images: Images) -> dict[str, Any]:
    """Metadata and spec of the container's pods."""
    return {
        "metadata": {
            "labels": labels_of(container),
            "annotations": {CHECKSUM: config_checksum(container)},
        },
        "spec": _pod_spec(container, images),
    }


def config_checksum(container: Container) -> str:
    """Changes with the container's configuration, so that its pods are replaced."""
    return hashlib.sha256(json.dumps(dict(container.config), sort_keys=True).encode()).hexdigest()[:16]


def own_config(container: Container) -> dict[str, str]:
    """What the container is told beside what every service is told."""
    common = COMMON if container.schema else {}
    return {name: value for name, value in container.config.items() if name not in common}


def _config_sources(container: Container) -> list[str]:
    own = [container.name] if own_config(container) else []
    return [COMMON_CONFIG, *own] if container.schema else own


def volume_name(folder: Folder) -> str:
    """As in "var-lib-atrium"."""
    return folder.path.strip("/").replace("/", "-")


def _pod_spec(container: Container, images: Images) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        # Else each service in the namespace becomes variables such as POSTGRES_PORT, which settings read.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": LEAVING_S + container.stop_max_s,
        "securityContext": _pod_security(container),
    }
    if container.once:
        spec["restartPolicy"] = "Never"  # a failed pod and its log stay
    if container.replicas_max > 1:
        spec["topologySpreadConstraints"] = [
            _spread(container, key) for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ]
    if container.schema:
        spec["initContainers"] = [_schema_waiter(container, images)]
    spec["containers"] = [_main(container, images)]
    if volumes := [_empty(folder) for folder in container.folders if not folder.lasting]:
        spec["volumes"] = volumes
    return spec


def _pod_security(container: Container) -> dict[str, Any]:
    group = 0 if container.ours else container.user  # what our images let their group 0 do, any user may do
    return {
        "runAsNonRoot": True,
        "runAsUser": container.user,
        "runAsGroup": group,
        "fsGroup": container.user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _spread(container: Container, key: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": selector_of(container),
    }


def _empty(folder: Folder) -> dict[str, Any]:
    medium = {"medium": "Memory"} if folder.memory else {}
    return {"name": volume_name(folder), "emptyDir": {**medium, "sizeLimit": folder.size}}


def _main(container: Container, images: Images) -> dict[str, Any]:
    main: dict[str, Any] = {"name": container.name, "image": images.of(container.image)}
    if container.command:
        main["command"] = list(container.command)
    if container.arguments:
        main["args"] = list(container.arguments)
    if container.folder:
        main["workingDir"] = container.folder
    if container.ports:
        main["ports"] = [
            {"name": port.name, "containerPort": port.number, "protocol": "TCP"} for port in container.ports
        ]
    if sources := _config_sources(container):
        main["envFrom"] = [{"configMapRef": {"name": name}} for name in sources]
    main["env"] = _environment(container)
    main |= _probes(container)
    if not container.once:
        main["lifecycle"] = {"preStop": {"sleep": {"seconds": LEAVING_S}}}
    return main | _confined(container.resources, container.folders)


def _schema_waiter(container: Container, images: Images) -> dict[str, Any]:
    """Ends when the migration of this version has been through the schema."""
    return {
        "name": "wait-for-schema",
        "image": images.of(OPERATIONS_IMAGE),
        "command": list(schema_wait(container.schema)),
        "workingDir": CODE,
        "env": [
            {"name": "ATRIUM_HOME", "value": HOME},
            _from_secret(container, "DATABASE_URL", optional=False),
        ],
        **_confined(_WAIT, container.folders),
    }


def _confined(resources: Resources, folders: Sequence[Folder]) -> dict[str, Any]:
    """What bounds any container: its share of the node, what it may do, and where it may write."""
    return {
        "resources": {
            "requests": {"cpu": resources.cpu, "memory": resources.memory},
            "limits": {"memory": resources.memory_max},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": volume_name(folder), "mountPath": folder.path} for folder in folders],
    }


def _environment(container: Container) -> list[dict[str, Any]]:
    variables = [_from_secret(container, name, optional=False) for name in container.secrets]
    variables += [_from_secret(container, name, optional=True) for name in container.optional_secrets]
    if container.replica_variable:
        field = {"fieldRef": {"fieldPath": "metadata.name"}}
        variables.append({"name": container.replica_variable, "valueFrom": field})
    return variables


def _from_secret(container: Container, variable: str, *, optional: bool) -> dict[str, Any]:
    reference: dict[str, Any] = {"name": container.name, "key": variable}
    if optional:
        reference["optional"] = True
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _probes(container: Container) -> dict[str, Any]:
    """The process alone decides whether it is replaced; its dependencies decide whether it gets requests."""
    if container.alive is None or container.ready is None:
        return {}
    start = _probe(container.alive, every_s=5, failures=container.start_max_s // 5)
    ready = _probe(container.ready, every_s=5, failures=2)
    alive = _probe(container.alive, every_s=10, failures=6)
    return {"startupProbe": start, "readinessProbe": ready, "livenessProbe": alive}


def _probe(check: ProcessCheck, *, every_s: int, failures: int) -> dict[str, Any]:
    how: dict[str, Any] = (
        {"exec": {"command": list(check.command)}}
        if check.command
        else {"httpGet": {"path": check.path, "port": check.port}}
        if check.path
        else {"tcpSocket": {"port": check.port}}
    )
    return {
        **how,
        "periodSeconds": every_s,
        "timeoutSeconds": _PROBE_TIMEOUT_S,
        "failureThreshold": failures,
    }
