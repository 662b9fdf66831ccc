"""The overlays of deployments/kustomize: built by kubectl where there is one, else read as they are."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from atrium_manifests.containers import CONTAINERS, METRICS_PORT_NAME, container_named
from atrium_manifests.objects import NAME_LABEL, SERVICE_TIER, TIER_LABEL
from atrium_manifests.stores import OBJECTS, STORES
from cluster_objects import (
    ROOT,
    WORKLOADS,
    Object,
    committed_objects,
    documents,
    name_of,
    of_kind,
    pod_of,
    restricted_faults,
    semantic_faults,
)

KUSTOMIZE = ROOT / "deployments" / "kustomize"
OVERLAYS = ("dev", "staging", "production", "customer")
# Kinds of other projects, whose schemas are not at hand.
FOREIGN = {"Route", "HTTPRoute", "ServiceMonitor", "ScaledObject", "ExternalSecret"}
OURS = {container.image for container in CONTAINERS if container.ours}


@cache
def built(kubectl: str, overlay: str) -> list[Object]:
    done = subprocess.run(
        [kubectl, "kustomize", str(KUSTOMIZE / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def kustomizations() -> list[Path]:
    return sorted(KUSTOMIZE.glob("*/**/kustomization.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_strict_server_takes_what_an_overlay_makes(kubectl: str, overlay: str) -> None:
    objects = built(kubectl, overlay)
    for each in objects:
        if each["kind"] not in FOREIGN and each not in committed_objects():  # those are tested elsewhere
            kubernetes_validate.validate(each, "1.34", strict=True)
    assert [fault for each in of_kind(objects, *WORKLOADS) for fault in restricted_faults(each)] == []
    assert [fault for each in objects for fault in semantic_faults(each)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_scaled_by_two(kubectl: str, overlay: str) -> None:
    objects = built(kubectl, overlay)
    scalers = of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    scaled = [each["spec"]["scaleTargetRef"]["name"] for each in scalers]
    assert len(scaled) == len(set(scaled))
    unscaled = {name_of(each) for each in of_kind(objects, "Deployment", "StatefulSet")} - set(scaled)
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        assert ("replicas" in each["spec"]) == (name_of(each) in unscaled), name_of(each)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_and_configuration_a_pod_asks_for_has_its_source(kubectl: str, overlay: str) -> None:
    objects = built(kubectl, overlay)
    maps = {name_of(each) for each in of_kind(objects, "ConfigMap")}
    secrets = {name_of(each) for each in of_kind(objects, "ExternalSecret")}
    for workload in of_kind(objects, *WORKLOADS):
        for main in pod_of(workload)["containers"]:
            assert {source["configMapRef"]["name"] for source in main.get("envFrom", [])} <= maps
            asked = {ref["name"] for each in main["env"] if (ref := each["valueFrom"].get("secretKeyRef"))}
            assert asked <= (secrets or {container.name for container in CONTAINERS if container.secrets})


def test_the_dev_overlay_runs_one_of_each_and_opens_no_address(kubectl: str) -> None:
    objects = built(kubectl, "dev")
    workloads = of_kind(objects, "Deployment", "StatefulSet")
    assert {each["spec"]["replicas"] for each in workloads} == {1}
    assert of_kind(objects, "Ingress", "HTTPRoute", "Route") == []


def test_in_production_no_store_runs_and_none_is_reached_here(kubectl: str) -> None:
    objects = built(kubectl, "production")
    names = {name_of(each) for each in objects}
    here = {name for name in names if re.search(r"\b(postgres|redis|qdrant|objects)\b", name)}
    assert here == {f"{store.name}-elsewhere" for store in STORES}
    retrieval = next(each for each in of_kind(objects, "ConfigMap") if name_of(each) == "retrieval-service")
    assert not any("//qdrant:" in value or "//objects:" in value for value in retrieval["data"].values())


def test_only_who_uses_a_store_reaches_it_elsewhere(kubectl: str) -> None:
    policies = of_kind(built(kubectl, "production"), "NetworkPolicy")
    for store in STORES:
        (policy,) = [each for each in policies if name_of(each) == f"{store.name}-elsewhere"]
        (chosen,) = policy["spec"]["podSelector"]["matchExpressions"]
        users = {container.name for container in CONTAINERS if store.name in container.stores}
        assert set(chosen["values"]) == users
        (rule,) = policy["spec"]["egress"]
        assert [each["port"] for each in rule["ports"]] == [
            443 if store is OBJECTS else store.ports[0].number
        ]


def test_what_the_model_server_calls_its_model_is_what_it_is_asked_for(kubectl: str) -> None:
    maps = {name_of(each): each["data"] for each in of_kind(built(kubectl, "customer"), "ConfigMap")}
    name = Path(maps["model-server"]["MODEL_PATH"]).stem
    assert maps["atrium"]["LOCAL_MODEL_ID"] == maps["atrium"]["DEFAULT_MODEL"] == name


def test_openshift_chooses_the_users_and_nothing_calls_outside(kubectl: str) -> None:
    objects = built(kubectl, "customer")
    for each in of_kind(objects, *WORKLOADS):
        assert set(pod_of(each)["securityContext"]) == {"runAsNonRoot", "seccompProfile"}
    assert not [each for each in of_kind(objects, "NetworkPolicy") if name_of(each) == "providers"]
    assert len(of_kind(objects, "Route")) == 1


@pytest.mark.parametrize("overlay", ["staging", "production", "customer"])
def test_every_image_of_ours_comes_from_the_registry(kubectl: str, overlay: str) -> None:
    named = [
        main["image"]
        for workload in of_kind(built(kubectl, overlay), *WORKLOADS)
        for kind in ("initContainers", "containers")
        for main in pod_of(workload).get(kind, [])
    ]
    assert {name.partition(":")[0].rpartition("/")[2] for name in named} >= OURS
    assert [name for name in named if name.startswith("atrium-")] == []


def test_every_part_is_listed_and_used() -> None:
    parts: dict[Path, Any] = {path: yaml.safe_load(path.read_text()) for path in kustomizations()}
    assert {path.parent.name for path in parts} >= {*OVERLAYS, "base"}
    for path, part in parts.items():
        files = {each.name for each in path.parent.glob("*.yaml")} - {path.name}
        assert files <= set(part["resources"]), path
        for other in part.get("components", []):
            assert (path.parent / other / "kustomization.yaml").is_file()


def test_what_keda_counts_is_a_metric_of_the_service() -> None:
    path = KUSTOMIZE / "components" / "keda" / "scaledobjects.yaml"
    for each in yaml.safe_load_all(path.read_text()):
        (trigger,) = each["spec"]["triggers"]
        (metric,) = re.findall(r"atrium_(\w+)", trigger["metadata"]["query"])
        folder = ROOT / name_of(each) / "src"
        named = f'gauge("{metric}"'
        assert any(named in source.read_text() for source in folder.rglob("*.py")), metric
        assert not container_named(name_of(each)).replica_variable  # its work would be left to nobody
        kinds = {name_of(found): found["kind"] for found in of_kind(committed_objects(), *WORKLOADS)}
        assert each["spec"]["scaleTargetRef"]["kind"] == kinds[name_of(each)]


def test_prometheus_asks_each_service_once_at_a_port_that_answers() -> None:
    path = KUSTOMIZE / "components" / "servicemonitors" / "servicemonitors.yaml"
    services, gateway = yaml.safe_load_all(path.read_text())
    (outside, left_out) = services["spec"]["selector"]["matchExpressions"]
    assert outside == {"key": TIER_LABEL, "operator": "In", "values": [SERVICE_TIER]}
    assert left_out["values"] == [gateway["spec"]["selector"]["matchLabels"][NAME_LABEL]]
    (endpoint,) = gateway["spec"]["endpoints"]
    assert endpoint["port"] == METRICS_PORT_NAME
    (endpoint,) = services["spec"]["endpoints"]
    assert endpoint["port"] == "http"


def test_what_gitops_follows_is_an_overlay() -> None:
    folder = ROOT / "deployments" / "gitops"
    (argocd,) = documents((folder / "argocd.yaml").read_text())
    _repository, flux = documents((folder / "flux.yaml").read_text())
    for path in (argocd["spec"]["source"]["path"], flux["spec"]["path"]):
        assert (ROOT / path / "kustomization.yaml").is_file()
