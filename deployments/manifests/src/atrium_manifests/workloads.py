"""What runs a container and lets others find it: workload, service, configuration, scaling, disruption."""

import hashlib
import json
import re
from typing import Any

from atrium_manifests.containers import COMMON
from atrium_manifests.objects import PART_LABEL, Images, Object, labels_of, object_of, selector_of
from atrium_manifests.pods import COMMON_CONFIG, SERVICE_ACCOUNT, own_config, pod_template, volume_name
from atrium_manifests.shapes import Container, Folder

_LABELS = {PART_LABEL: "atrium"}
CPU_PERCENT = 70
_HISTORY = 3
_JOB_RETRIES = 3  # each failed try stays as a pod with its log
_JOB_S_MAX = 3600
_JOB_KEPT_S = 7 * 86_400
_HASH_CHARS = 8
_CALM_S = 300  # a replica that is started for a peak stays this long after it


def config_map(container: Container) -> Object:
    """The variables of one container that are no secret."""
    labels = labels_of(container)
    return object_of("v1", "ConfigMap", container.name, labels=labels, data=own_config(container))


def common_config_map() -> Object:
    """What every service is told."""
    return object_of("v1", "ConfigMap", COMMON_CONFIG, labels=_LABELS, data=dict(COMMON))


def service_account() -> Object:
    """Of every pod; it may do nothing."""
    return object_of(
        "v1", "ServiceAccount", SERVICE_ACCOUNT, labels=_LABELS, automountServiceAccountToken=False
    )


def workload(container: Container, images: Images) -> Object:
    """A Job for what ends, a StatefulSet for what owns something, a Deployment for everything else."""
    if container.once:
        return _job(container, images)
    spec: dict[str, Any] = {
        "revisionHistoryLimit": _HISTORY,
        "selector": selector_of(container),
        "template": pod_template(container, images),
    }
    if not is_scaled(container):  # else the autoscaler's number would be undone each time this is applied
        spec = {"replicas": container.replicas, **spec}
    labels = labels_of(container)
    if container.owns:
        spec |= _stateful(container)
        return object_of("apps/v1", "StatefulSet", container.name, labels=labels, spec=spec)
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    if container.replicas_max == 1:  # two at once would each hold a part of what is one
        spec["strategy"] = {"type": "Recreate"}
    return object_of("apps/v1", "Deployment", container.name, labels=labels, spec=spec)


def is_scaled(container: Container) -> bool:
    """Whether an autoscaler sets the number of its replicas."""
    return container.replicas_max > container.replicas


def service(container: Container) -> Object:
    """The name by which others reach the container."""
    ports = [
        {"name": port.name, "port": port.number, "targetPort": port.name, "protocol": "TCP"}
        for port in container.ports
    ]
    spec = {"selector": selector_of(container)["matchLabels"], "ports": ports}
    return object_of("v1", "Service", container.name, labels=labels_of(container), spec=spec)


def autoscaler(container: Container) -> Object:
    """By CPU, never by memory, which does not come back."""
    kind = "StatefulSet" if container.owns else "Deployment"
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": container.name},
        "minReplicas": container.replicas,
        "maxReplicas": container.replicas_max,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": CPU_PERCENT},
                },
            }
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": _CALM_S}},
    }
    labels = labels_of(container)
    return object_of("autoscaling/v2", "HorizontalPodAutoscaler", container.name, labels=labels, spec=spec)


def disruption_budget(container: Container) -> Object:
    """A node that is emptied takes one replica at a time."""
    spec = {"maxUnavailable": 1, "selector": selector_of(container)}
    labels = labels_of(container)
    return object_of("policy/v1", "PodDisruptionBudget", container.name, labels=labels, spec=spec)


def _job(container: Container, images: Images) -> Object:
    """The pods of a Job never change, so its name ends in their hash: what would change them is a new Job.

    The chart makes the same hash of its own pods.
    """
    template = pod_template(container, images)
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    version = re.sub(r"[^a-z0-9]+", "-", images.version.lower())[:32].strip("-")
    name = f"{container.name}-{version}-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARS]}"
    spec = {
        "backoffLimit": _JOB_RETRIES,
        "activeDeadlineSeconds": _JOB_S_MAX,
        "ttlSecondsAfterFinished": _JOB_KEPT_S,
        "template": template,
    }
    return object_of("batch/v1", "Job", name, labels=labels_of(container), spec=spec)


def _stateful(container: Container) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceName": container.name,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
    }
    if claims := [_claim(container, folder) for folder in container.folders if folder.lasting]:
        spec["volumeClaimTemplates"] = claims
    return spec


def _claim(container: Container, folder: Folder) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume_name(folder), "labels": labels_of(container)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": folder.size}},
        },
    }
