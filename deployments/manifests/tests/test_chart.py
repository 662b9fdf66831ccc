"""The Helm chart: its cases, and that without values it makes what kubernetes/ holds."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from atrium_manifests.containers import CONTAINERS
from atrium_manifests.helm import default_values
from atrium_manifests.objects import NAME_LABEL
from atrium_manifests.stores import REDIS, STORES
from chart_cases import ChartCase, chart_cases, problems_of, template
from cluster_objects import (
    ROOT,
    WORKLOADS,
    Object,
    committed_objects,
    documents,
    of_kind,
    restricted_faults,
    semantic_faults,
)

CHART = ROOT / "deployments" / "helm" / "atrium"
CASES = chart_cases(CHART)
CASES_MIN = 25
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
OF_THE_CHART = {"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"}


def rendered(helm: str, values: dict[str, Any]) -> list[Object]:
    done = template(helm, CHART, values)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def without_marks_of_the_chart(each: dict[str, Any]) -> Object:
    found = each["metadata"].get("labels", {})
    labels = {name: value for name, value in found.items() if name not in OF_THE_CHART}
    plain = {**each, "metadata": {**each["metadata"], "labels": labels}}
    if each["kind"] in {"Deployment", "StatefulSet"}:
        plain["spec"]["template"]["metadata"]["annotations"].pop("atrium.dev/values-checksum")
    return plain


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_of_the_chart(helm: str, case: ChartCase) -> None:
    assert problems_of(helm, CHART, case) == []


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    assert len({str(case) for case in CASES}) == len(CASES) >= CASES_MIN


def test_without_values_it_makes_what_kubectl_applies(helm: str) -> None:
    made = [without_marks_of_the_chart(dict(each)) for each in rendered(helm, {})]
    _namespace, *applied = committed_objects()

    def order(each: Object) -> tuple[str, str]:
        return each["kind"], each["metadata"]["name"]

    assert sorted(made, key=order) == sorted(applied, key=order)


def test_its_values_are_those_of_the_table(helm: str) -> None:
    assert yaml.safe_load((CHART / "values.yaml").read_text()) == default_values()
    assert rendered(helm, default_values()) == rendered(helm, {})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_makes_what_a_strict_server_takes(helm: str, path: Any) -> None:
    objects = rendered(helm, yaml.safe_load(path.read_text()))
    for each in objects:
        plain = each if each["kind"] in WORKLOADS else without_marks_of_the_chart(dict(each))
        if plain not in committed_objects():  # those are tested elsewhere
            kubernetes_validate.validate(each, "1.34", strict=True)
    assert [fault for each in of_kind(objects, *WORKLOADS) for fault in restricted_faults(each)] == []
    assert [fault for each in objects for fault in semantic_faults(each)] == []


def test_pods_are_replaced_when_what_they_are_told_changes(helm: str) -> None:
    def checksums(values: dict[str, Any]) -> dict[str, str]:
        return {
            each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"][
                "atrium.dev/values-checksum"
            ]
            for each in of_kind(rendered(helm, values), "Deployment")
        }

    before, after = checksums({}), checksums({"gateway": {"config": {"USER_RPM": 9}}})
    assert {name for name in before if before[name] != after[name]} == {"gateway"}


@pytest.mark.parametrize(
    "values",
    [
        {"global": {"imageTag": "9.9.9"}},
        {"global": {"imageRegistry": "registry.example.com"}},
        {"global": {"podAnnotations": {"team": "ai"}}},
        {"migrate": {"resources": {"limits": {"memory": "1Gi"}}}},
    ],
    ids=str,
)
def test_what_changes_the_pods_of_the_migration_makes_another_job(helm: str, values: dict[str, Any]) -> None:
    (before,) = of_kind(rendered(helm, {}), "Job")
    (after,) = of_kind(rendered(helm, values), "Job")
    assert before["spec"]["template"] != after["spec"]["template"]
    assert before["metadata"]["name"] != after["metadata"]["name"]


def test_what_the_migration_does_not_read_leaves_its_job_alone(helm: str) -> None:
    of_the_services = {"global": {"publicUrl": "https://ai.example.org", "config": {"LOG_LEVEL": "debug"}}}
    assert of_kind(rendered(helm, {}), "Job") == of_kind(rendered(helm, of_the_services), "Job")


def test_only_who_uses_a_store_reaches_it_elsewhere_and_only_when_it_is(helm: str) -> None:
    values = yaml.safe_load((CHART / "examples" / "managed-stores.yaml").read_text())
    values["redis"] = {"deploy": True}
    ports = default_values()["networkPolicies"]["storesPorts"]
    expected = {
        (caller.name, ports[store.name])
        for caller in CONTAINERS
        for store in STORES
        if store.name in caller.stores and store is not REDIS
    }
    blocks = [
        (each["spec"]["podSelector"]["matchLabels"][NAME_LABEL], port["port"])
        for each in of_kind(rendered(helm, values), "NetworkPolicy")
        if each["metadata"]["name"].endswith("-elsewhere")
        for rule in each["spec"]["egress"]
        for port in rule["ports"]
        if [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["10.20.0.0/16"]
    ]
    assert sorted(blocks) == sorted(expected)


def test_the_closed_example_asks_for_the_model_that_it_serves(helm: str) -> None:
    values = yaml.safe_load((CHART / "examples" / "closed.yaml").read_text())
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(rendered(helm, values), "ConfigMap")}
    name = Path(maps["model-server"]["MODEL_PATH"]).stem
    assert maps["atrium"]["LOCAL_MODEL_ID"] == maps["atrium"]["DEFAULT_MODEL"] == name
