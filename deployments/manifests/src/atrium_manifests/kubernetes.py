"""The files of `kubernetes/`, in the order in which they are applied, and the list that kustomize reads."""

from collections.abc import Iterator

from atrium_manifests.containers import CONTAINERS, GATEWAY_NAME, PUBLIC_URL, container_named
from atrium_manifests.network import network_policies
from atrium_manifests.objects import NAMESPACE, Images, Object, dump, labels_of, object_of
from atrium_manifests.pods import own_config
from atrium_manifests.shapes import Container
from atrium_manifests.workloads import (
    autoscaler,
    common_config_map,
    config_map,
    disruption_budget,
    is_scaled,
    service,
    service_account,
    workload,
)

# Not `kustomization.yaml`: `kubectl apply -f kubernetes/` would take that for an object of the cluster.
KUSTOMIZATION = "Kustomization"
SECRETS_FILE = "05-secrets.yaml"
HEADING = "Written by `make generate` from deployments/manifests; changes belong there."
_PROFILE = "restricted"
_INGRESS_TIMEOUT_S = "3600"  # the longest answer of a model
_INGRESS_BODY = "33m"  # the gateway takes 32 MiB, and refuses in its own words what is larger


def kubernetes_files(images: Images) -> dict[str, str]:
    """Text by file name."""
    files = {name: dump(found, [HEADING]) for name, found in _objects_by_file(images).items()}
    return files | {KUSTOMIZATION: _kustomization(sorted(files))}


def cluster_objects(images: Images) -> list[Object]:
    """All objects, in the order in which they are applied."""
    return [each for _name, found in sorted(_objects_by_file(images).items()) for each in found]


def _objects_by_file(images: Images) -> dict[str, list[Object]]:
    objects = {
        "00-namespace.yaml": [_namespace()],
        "10-network-policies.yaml": network_policies(),
        "20-config.yaml": [
            service_account(),
            common_config_map(),
            *(config_map(container) for container in CONTAINERS if own_config(container)),
        ],
        "30-stores.yaml": [
            found for container in CONTAINERS if not container.ours for found in _running(container, images)
        ],
        "40-migrate.yaml": [workload(container, images) for container in CONTAINERS if container.once],
    }
    for number, container in enumerate(_lasting_ones(), start=50):
        objects[f"{number}-{container.name}.yaml"] = list(_running(container, images))
    objects["70-ingress.yaml"] = [_ingress(container_named(GATEWAY_NAME))]
    return objects


def _lasting_ones() -> Iterator[Container]:
    """Of ours, without what ends by itself."""
    return (container for container in CONTAINERS if container.ours and not container.once)


def _running(container: Container, images: Images) -> Iterator[Object]:
    yield service(container)
    yield workload(container, images)
    if is_scaled(container):
        yield autoscaler(container)
    yield disruption_budget(container)


def _namespace() -> Object:
    modes = ("enforce", "audit", "warn")
    labels = {f"pod-security.kubernetes.io/{mode}": _PROFILE for mode in modes}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "atrium"} | labels},
    }


def _ingress(gateway: Container) -> Object:
    """For ingress-nginx; it neither gathers a stream nor cuts it while a model thinks."""
    host = PUBLIC_URL.removeprefix("https://")
    nginx = "nginx.ingress.kubernetes.io"
    backend = {"service": {"name": gateway.name, "port": {"name": "http"}}}
    spec = {
        "tls": [{"hosts": [host], "secretName": "atrium-tls"}],
        "rules": [
            {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        ],
    }
    ingress = object_of("networking.k8s.io/v1", "Ingress", "atrium", labels=labels_of(gateway), spec=spec)
    ingress["metadata"]["annotations"] = {
        f"{nginx}/proxy-buffering": "off",
        f"{nginx}/proxy-request-buffering": "off",
        f"{nginx}/proxy-read-timeout": _INGRESS_TIMEOUT_S,
        f"{nginx}/proxy-send-timeout": _INGRESS_TIMEOUT_S,
        f"{nginx}/proxy-body-size": _INGRESS_BODY,
    }
    return ingress


def _kustomization(names: list[str]) -> str:
    objects = [{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names}]
    why = "The name has no ending, so that `kubectl apply -f kubernetes/` passes over it."
    return dump(objects, [HEADING, why])
