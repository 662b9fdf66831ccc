"""The objects of kubernetes/: what a strict server takes, confined, and told what the table says."""

import json
import os
import re
import subprocess
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from atrium_manifests.containers import COMMON, CONTAINERS, container_named
from atrium_manifests.kubernetes import KUSTOMIZATION, SECRETS_FILE, kubernetes_files
from atrium_manifests.objects import Images
from atrium_manifests.pods import LEAVING_S
from atrium_manifests.shapes import Container
from atrium_manifests.stores import POSTGRES, REDIS
from cluster_objects import (
    KUBERNETES,
    ROOT,
    WORKLOADS,
    Object,
    committed_objects,
    containers_of,
    documents,
    name_of,
    of_kind,
    pod_of,
    restricted_faults,
    semantic_faults,
)

OLDEST, NEWEST = "1.30", "1.34"  # the stop that sleeps is taken from 1.30 on
LASTING = [container for container in CONTAINERS if not container.once]


def workload_of(container: Container) -> Object:
    (found,) = [
        each
        for each in of_kind(committed_objects(), *WORKLOADS)
        if each["metadata"]["labels"]["app.kubernetes.io/name"] == container.name
    ]
    return found


def variables_of(container: Container) -> tuple[dict[str, str], set[str]]:
    """What its main container is told: values from configuration, names from its own secret."""
    main = pod_of(workload_of(container))["containers"][0]
    maps = {name_of(each): each["data"] for each in of_kind(committed_objects(), "ConfigMap")}
    sources = [maps[source["configMapRef"]["name"]] for source in main.get("envFrom", [])]
    values = {name: value for source in sources for name, value in source.items()}
    secret = [each for each in main["env"] if "secretKeyRef" in each["valueFrom"]]
    assert all(each["valueFrom"]["secretKeyRef"]["name"] == container.name for each in secret)
    return values, {each["name"] for each in secret}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_strict_server_takes_every_object(version: str) -> None:
    for each in committed_objects():
        kubernetes_validate.validate(each, version, strict=True)
    assert [fault for each in committed_objects() for fault in semantic_faults(each)] == []


def test_a_strict_server_takes_the_objects_of_the_documentation() -> None:
    page = (ROOT / "docs" / "deployments.md").read_text()
    blocks = [
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]
    objects = [each for each in blocks if "kind" in each]
    assert objects
    for each in objects:
        kubernetes_validate.validate(each, NEWEST, strict=True)


def test_no_two_objects_have_one_name() -> None:
    names = Counter((each["kind"], name_of(each)) for each in committed_objects())
    assert [name for name, count in names.items() if count > 1] == []


def test_everything_is_in_the_namespace_which_comes_first() -> None:
    first, *rest = committed_objects()
    assert first["kind"] == "Namespace"
    assert {each["metadata"]["namespace"] for each in rest} == {name_of(first)}
    assert first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("workload", of_kind(committed_objects(), *WORKLOADS), ids=name_of)
def test_the_restricted_profile_admits_every_pod(workload: Object) -> None:
    assert restricted_faults(workload) == []
    pod = pod_of(workload)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # POSTGRES_PORT=tcp://... would be read as a setting
    assert pod["securityContext"]["runAsUser"] >= 1
    for each in containers_of(workload):
        assert each["resources"]["limits"]["memory"]
        assert set(each["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("hostNetwork",), True, "shares a namespace of the node"),
        (("securityContext", "runAsUser"), 0, "may run as root"),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "has no seccomp profile"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "can write to its own image"),
        (("containers", 0, "securityContext", "capabilities"), {"drop": []}, "keeps capabilities"),
        (("initContainers", 0, "securityContext", "allowPrivilegeEscalation"), True, "may gain privileges"),
        (("volumes", 0), {"name": "var-lib-atrium", "hostPath": {"path": "/"}}, "is of another type"),
        (("containers", 0, "volumeMounts", 0, "name"), "gone", "mounts ['gone', 'tmp', 'var-lib-atrium'] of"),
    ],
)
def test_a_pod_that_may_more_is_found(path: tuple[str | int, ...], value: Any, fault: str) -> None:
    workload = deepcopy(dict(workload_of(container_named("chat-service"))))
    *outer, last = path
    place: Any = pod_of(workload)
    for step in outer:
        place = place[step]
    place[last] = value
    faults = restricted_faults(workload) + semantic_faults(workload)
    assert [each for each in faults if fault in each]


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.name)
def test_each_container_is_told_what_the_table_says(container: Container) -> None:
    values, secret = variables_of(container)
    assert values == dict(container.config)
    assert secret == {*container.secrets, *container.optional_secrets}


def test_what_every_service_is_told_stands_once() -> None:
    holders = [each for each in of_kind(committed_objects(), "ConfigMap") if "PUBLIC_URL" in each["data"]]
    assert [each["data"] for each in holders] == [COMMON]


@pytest.mark.parametrize("container", LASTING, ids=lambda container: container.name)
def test_a_service_finds_the_pods_at_the_port_they_listen_on(container: Container) -> None:
    (service,) = [each for each in of_kind(committed_objects(), "Service") if name_of(each) == container.name]
    workload = workload_of(container)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    listening = {port["name"]: port["containerPort"] for port in pod_of(workload)["containers"][0]["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == listening


@pytest.mark.parametrize("container", LASTING, ids=lambda container: container.name)
def test_only_the_process_itself_decides_whether_it_is_replaced(container: Container) -> None:
    main = pod_of(workload_of(container))["containers"][0]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(main)
    if container.schema:
        assert main["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert main["startupProbe"]["httpGet"]["path"] == "/healthz"
        assert main["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize(
    "container", [each for each in CONTAINERS if each.schema], ids=lambda container: container.name
)
def test_a_pod_leaves_after_its_answers_and_starts_after_its_schema(container: Container) -> None:
    pod = pod_of(workload_of(container))
    answers_s = int(container.command[container.command.index("--timeout-graceful-shutdown") + 1])
    drain_s = int(container.config["DRAIN_TIMEOUT_S"])
    assert answers_s > drain_s
    assert pod["terminationGracePeriodSeconds"] >= LEAVING_S + answers_s + drain_s
    (waiter,) = pod["initContainers"]
    assert waiter["command"][-2:] == ["--wait", container.name]
    assert {each["name"] for each in waiter["env"]} == {"ATRIUM_HOME", "DATABASE_URL"}


def test_an_update_takes_no_replica_away_before_another_is_there() -> None:
    for each in of_kind(committed_objects(), "Deployment"):
        strategy = each["spec"]["strategy"]
        if container_named(name_of(each)).schema:
            assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        else:  # two of them at once would each count a part
            assert strategy == {"type": "Recreate"}
    budgets = {name_of(each): each["spec"] for each in of_kind(committed_objects(), "PodDisruptionBudget")}
    assert set(budgets) == {container.name for container in LASTING}
    assert {budget["maxUnavailable"] for budget in budgets.values()} == {1}


def test_who_is_scaled_by_load_is_not_also_given_a_number() -> None:
    scalers = {
        name_of(each): each["spec"] for each in of_kind(committed_objects(), "HorizontalPodAutoscaler")
    }
    for each in of_kind(committed_objects(), "Deployment", "StatefulSet"):
        assert (name_of(each) in scalers) != ("replicas" in each["spec"])
    for name, spec in scalers.items():
        container = container_named(name)
        assert spec["scaleTargetRef"]["kind"] == workload_of(container)["kind"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (container.replicas, container.replicas_max)
        assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["cpu"]
        assert not container.replica_variable, "what a replica that goes has begun, no other one ends"


def test_a_recovery_of_postgresql_is_waited_for_and_its_queries_have_shared_memory() -> None:
    pod = pod_of(workload_of(POSTGRES))
    (main,) = pod["containers"]
    assert main["livenessProbe"]["tcpSocket"] == main["startupProbe"]["tcpSocket"] == {"port": 5432}
    assert "pg_isready" in main["readinessProbe"]["exec"]["command"]
    (name,) = [each["name"] for each in main["volumeMounts"] if each["mountPath"] == "/dev/shm"]
    (volume,) = [each["emptyDir"] for each in pod["volumes"] if each["name"] == name]
    assert volume == {"medium": "Memory", "sizeLimit": "256Mi"}


def test_no_list_of_processes_shows_the_password_of_redis(tmp_path: Path) -> None:
    server = tmp_path / "valkey-server"
    server.write_text('#!/bin/sh\necho "$@"\ncat\n')
    server.chmod(0o755)
    (main,) = pod_of(workload_of(REDIS))["containers"]
    told = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDIS_PASSWORD": "hidden-1"}
    done = subprocess.run(main["command"], env=told, capture_output=True, text=True, check=True)
    arguments, *read = done.stdout.splitlines()
    assert "hidden-1" not in arguments
    assert arguments.endswith(" -"), "it reads its standard input only when that comes last"
    assert read == ["requirepass hidden-1"]


def test_a_replica_that_owns_something_keeps_its_name() -> None:
    for container in LASTING:
        workload = workload_of(container)
        assert workload["kind"] == ("StatefulSet" if container.owns else "Deployment")
        fields = [
            each["valueFrom"]["fieldRef"]["fieldPath"]
            for each in pod_of(workload)["containers"][0]["env"]
            if each["name"] == container.replica_variable
        ]
        assert fields == (["metadata.name"] if container.replica_variable else [])


def test_the_ingress_neither_gathers_nor_cuts_a_stream() -> None:
    (ingress,) = of_kind(committed_objects(), "Ingress")
    notes = {key.partition("/")[2]: value for key, value in ingress["metadata"]["annotations"].items()}
    assert notes["proxy-buffering"] == "off"
    assert min(int(notes["proxy-read-timeout"]), int(notes["proxy-send-timeout"])) >= 900
    (rule,) = ingress["spec"]["rules"]
    assert COMMON["PUBLIC_URL"] == f"https://{rule['host']}"


def test_the_migration_of_another_version_is_another_job() -> None:
    def job(images: Images) -> Object:
        (found,) = documents(kubernetes_files(images)["40-migrate.yaml"])
        assert semantic_faults(found) == []
        return found

    images = [Images("0.2.0"), Images("0.2.1"), Images("0.2.0", "registry.example.com"), Images("V1_" * 20)]
    names = [name_of(job(each)) for each in images]
    assert len(set(names)) == len(names)
    assert names[0].startswith("migrate-0-2-0-")
    assert "atrium-operations:0.2.0" in json.dumps(job(images[0]))


def test_the_logs_of_a_failed_migration_stay_and_an_old_one_goes() -> None:
    (job,) = of_kind(committed_objects(), "Job")
    assert pod_of(job)["restartPolicy"] == "Never"
    assert job["spec"]["backoffLimit"] <= 5
    assert job["spec"]["ttlSecondsAfterFinished"] > job["spec"]["activeDeadlineSeconds"]


def test_images_of_ours_come_from_the_registry_and_carry_the_version() -> None:
    text = "".join(kubernetes_files(Images("9.9.9", "registry.example.com/atrium")).values())
    named = [line.split()[-1] for line in text.splitlines() if line.strip().startswith("image:")]
    ours = [name for name in named if "atrium-" in name]
    assert all(name.startswith("registry.example.com/atrium/atrium-") for name in ours)
    assert all(name.endswith(":9.9.9") for name in ours)
    assert all(not name.endswith(":latest") and ":" in name for name in named)


def test_secrets_stay_out_of_git_and_what_kubectl_would_stumble_over_has_no_ending() -> None:
    for path in (
        f"{KUBERNETES.name}/{SECRETS_FILE}",
        f"{KUBERNETES.name}/secrets.yaml",
        f"mine/{SECRETS_FILE}",
    ):
        assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0
    assert of_kind(committed_objects(), "Secret") == []
    assert "." not in KUSTOMIZATION
    listed = (KUBERNETES / KUSTOMIZATION).read_text()
    assert all(
        f"- {path.name}\n" in listed for path in KUBERNETES.glob("*.yaml") if path.name != SECRETS_FILE
    )
