"""What the tests look for in objects of Kubernetes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "kubernetes"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME_CHARS_MAX, _PORT_CHARS_MAX = 63, 15
WORKLOADS = ("Deployment", "StatefulSet", "Job")
Object = Mapping[str, Any]


def documents(text: str) -> list[dict[str, Any]]:
    """Those of a YAML text, read by the compiled parser, which takes a tenth of the time."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@cache
def committed_objects() -> list[Object]:
    """Every object of kubernetes/, in the order in which `kubectl` sends them, without secrets."""
    paths = [path for path in sorted(KUBERNETES.glob("*.yaml")) if "secrets" not in path.name]
    return [each for path in paths for each in documents(path.read_text())]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def name_of(each: Object) -> str:
    """Its name."""
    return each["metadata"]["name"]


def pod_of(workload: Object) -> Object:
    """The spec of its pods."""
    return workload["spec"]["template"]["spec"]


def containers_of(workload: Object) -> Iterator[Object]:
    """Of its pods, those that run first included."""
    yield from pod_of(workload).get("initContainers", [])
    yield from pod_of(workload)["containers"]


def semantic_faults(each: Object) -> list[str]:
    """What a server refuses although every field has its type: names, labels, and references inside a pod."""
    name, faults = name_of(each), []
    labels = each["metadata"].get("labels", {})
    if not _NAME.fullmatch(name) or len(name) > _NAME_CHARS_MAX:
        faults.append("its name is none")
    wrong = [key for key, value in labels.items() if not _LABEL.fullmatch(value)]
    faults += [f"the value of label {key} is none" for key in wrong]
    if each["kind"] in WORKLOADS:
        faults += _faults_of_pods(each)
    return [f"{each['kind']} {name}: {fault}" for fault in faults]


def _faults_of_pods(workload: Object) -> Iterator[str]:
    pod, spec = pod_of(workload), workload["spec"]
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in pod.get("volumes", [])] + claims
    if len(set(volumes)) < len(volumes):
        yield "two volumes have one name"
    if "selector" in spec:
        labels = spec["template"]["metadata"]["labels"]
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            yield "selects pods that it does not make"
    used: set[str] = set()
    for container in containers_of(workload):
        mounts = container.get("volumeMounts", [])
        used |= {mount["name"] for mount in mounts}
        ports = [port["name"] for port in container.get("ports", [])]
        for what, names in (
            ("folders", [mount["mountPath"] for mount in mounts]),
            ("variables", [variable["name"] for variable in container.get("env", [])]),
            ("ports", ports),
        ):
            if len(set(names)) < len(names):
                yield f"{container['name']}: two {what} have one name"
        if any(len(port) > _PORT_CHARS_MAX for port in ports):
            yield f"{container['name']}: a port's name is too long"
        sleep_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if sleep_s > pod["terminationGracePeriodSeconds"]:
            yield f"{container['name']}: sleeps longer than it may"
    if used != set(volumes):
        yield f"mounts {sorted(used)} of {sorted(volumes)}"


def restricted_faults(workload: Object) -> list[str]:
    """What the `restricted` profile of Pod Security (v1.34) refuses, and two rules of our own: a root file
    system that is read-only, and a numeric user.
    """
    pod, faults = pod_of(workload), []
    security = pod.get("securityContext", {})
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        faults.append("shares a namespace of the node")
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser", 1):
        faults.append("may run as root")
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        faults.append("has no seccomp profile")
    if security.get("sysctls"):
        faults.append("changes sysctls")
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    allowed |= {"projected", "secret"}
    others = [each["name"] for each in pod.get("volumes", []) if not set(each) - {"name"} <= allowed]
    faults += [f"volume {name} is of another type" for name in others]
    for container in containers_of(workload):
        faults += [f"{container['name']}: {fault}" for fault in _faults_of(container)]
    return faults


def _faults_of(container: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "can write to its own image"
    if own.get("runAsNonRoot") is False or own.get("runAsUser") == 0:
        yield "may run as root"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the node"
