"""The cases of a Helm chart in the format of the helm-unittest plugin, run over `helm template`."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cluster_objects import documents

_STEP = re.compile(r'\["([^"]+)"\]|\[(\d+)\]|\[\?\(@\.(\w+) == "([^"]*)"\)\]|\.?([^.\[\]]+)')
_BY_KIND = re.compile(r'\$\[\?\(@\.kind == "(\w+)"\)\]\.(.+)')
_MISSING = object()


@dataclass(frozen=True)
class ChartCase:
    """One `it` of a suite."""

    suite: dict[str, Any]
    case: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.suite['suite']}: {self.case['it']}"


def chart_cases(chart: Path) -> list[ChartCase]:
    """Every case of the chart's suites."""
    suites = [yaml.safe_load(path.read_text()) for path in sorted((chart / "tests").glob("*_test.yaml"))]
    return [ChartCase(suite, case) for suite in suites for case in suite["tests"]]


def template(
    helm: str, chart: Path, values: dict[str, Any], *, release: str = "atrium", namespace: str = "atrium"
) -> subprocess.CompletedProcess[str]:
    """What `helm template` says."""
    return subprocess.run(
        [helm, "template", release, str(chart), "--namespace", namespace, "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )


def problems_of(helm: str, chart: Path, found: ChartCase) -> list[str]:
    """The assertions of the case that do not hold."""
    release = found.suite.get("release", {})
    done = template(
        helm,
        chart,
        _nested(found.case.get("set", {})),
        release=release.get("name", "atrium"),
        namespace=release.get("namespace", "atrium"),
    )
    failing = [each["failedTemplate"] for each in found.case["asserts"] if "failedTemplate" in each]
    if failing:
        return [
            f"it does not fail with {each['errorPattern']!r}: {done.stderr}"
            for each in failing
            if done.returncode == 0 or not re.search(each["errorPattern"], done.stderr)
        ]
    if done.returncode != 0:
        return [done.stderr]
    chosen = _chosen(documents(done.stdout), found.case["documentSelector"])
    return [problem for each in found.case["asserts"] for problem in _failures(each, chosen)]


def _nested(dotted: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, value in dotted.items():
        *outer, last = path.split(".")
        place = values
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    return values


def _chosen(found: list[Any], selector: dict[str, Any]) -> list[Any]:
    kind, path = None, selector["path"]
    if by_kind := _BY_KIND.fullmatch(path):
        kind, path = by_kind.groups()
    return [each for each in found if kind in {None, each["kind"]} and _at(each, path) == selector["value"]]


def _at(document: Any, path: str) -> Any:
    place = document
    for quoted, index, name, value, plain in _STEP.findall(path):
        if index:
            place = place[int(index)] if isinstance(place, list) and len(place) > int(index) else _MISSING
        elif name:
            items = place if isinstance(place, list) else []
            place = next((item for item in items if item.get(name) == value), _MISSING)
        else:
            place = place.get(quoted or plain, _MISSING) if isinstance(place, dict) else _MISSING
    return place


def _failures(assertion: dict[str, Any], chosen: list[Any]) -> Iterator[str]:
    ((name, wanted),) = assertion.items()
    if name == "hasDocuments":
        if len(chosen) != wanted["count"]:
            yield f"{len(chosen)} documents, not {wanted['count']}"
        return
    if not chosen:
        yield "no document is chosen"
    for each in chosen:
        found = _at(each, wanted["path"])
        if not _holds(name, found, wanted):
            yield f"{name} {wanted}: found {'nothing' if found is _MISSING else found!r}"


def _holds(name: str, found: Any, wanted: dict[str, Any]) -> bool:
    match name:
        case "equal":
            return found == wanted["value"]
        case "exists":
            return found is not _MISSING
        case "notExists":
            return found is _MISSING
        case "contains":
            return isinstance(found, list) and wanted["content"] in found
        case "matchRegex":
            return isinstance(found, str) and re.search(wanted["pattern"], found) is not None
        case _:
            raise ValueError(f"this runner knows no assertion {name!r}")
