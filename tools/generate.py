"""`make generate`: every file that follows from the code. With --check nothing is written and a difference is
an error.
"""

import argparse
import difflib
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from atrium_local.model_server import ModelServerSettings
from atrium_local.passing import SUPERVISOR
from atrium_local.services import SERVICES, Service
from atrium_manifests.compose import compose_text, prometheus_text
from atrium_manifests.external_secrets import external_secrets
from atrium_manifests.helm import helm_files
from atrium_manifests.kubernetes import HEADING, kubernetes_files
from atrium_manifests.objects import Images
from atrium_manifests.settings_classes import settings_class
from identities import KeyRing
from pydantic_settings import BaseSettings
from settings_page import render_example, render_page, variable_names
from shared.app.asgi import ServiceApp
from shared.operations import VERSION

ROOT = Path(__file__).parent.parent
_NO_DATABASE = "postgresql://nobody@127.0.0.1:9/none"
_WEB_TYPES = ROOT / "web" / "src" / "lib" / "api" / "generated"
_EXTERNAL_SECRETS = (
    ROOT / "deployments" / "kustomize" / "components" / "external-secrets" / "external-secrets.yaml"
)
_CHART = ROOT / "deployments" / "helm" / "atrium"
_DIFF_LINES_MAX = 40


def derived_files() -> Iterator[tuple[Path, Callable[[], str]]]:
    """Every derived file that Python makes, with what makes its text."""
    for service in SERVICES:
        yield (
            ROOT / "docs" / "openapi" / f"{service.name}.json",
            lambda service=service: openapi_text(service),
        )
        yield ROOT / service.name / "requirements.txt", lambda service=service: requirements_text(service)
    yield ROOT / "docs" / "settings.md", lambda: render_page(settings_classes())
    yield ROOT / "deployments" / "local" / "src" / "atrium_local" / "variables.json", variables_text
    yield ROOT / "deployments" / "docker-compose.yml", compose_text
    yield ROOT / "deployments" / "observability" / "prometheus.yml", prometheus_text
    yield ROOT / ".env.example", lambda: render_example(settings_classes())
    for name, text in kubernetes_files(Images(VERSION)).items():
        yield ROOT / "kubernetes" / name, lambda text=text: text
    for name, text in helm_files(VERSION).items():
        yield _CHART / name, lambda text=text: text
    yield _EXTERNAL_SECRETS, lambda: external_secrets(HEADING)


def variables_text() -> str:
    """Which variables each service reads, for the supervisor, which loads no service."""
    readers = {service.name: variable_names(settings_class(service)) for service in SERVICES}
    return json.dumps({**readers, SUPERVISOR: variable_names(ModelServerSettings)}, indent=1) + "\n"


def settings_classes() -> list[tuple[str, type[BaseSettings]]]:
    """(heading, class) of every settings class."""
    return [(service.name, settings_class(service)) for service in SERVICES] + [
        ("The supervisor (make run)", ModelServerSettings)
    ]


def openapi_text(service: Service) -> str:
    """The service's OpenAPI document; composing the application needs no database."""
    fields: dict[str, Any] = KeyRing().settings_fields(service.name, database_url=_NO_DATABASE)
    app = importlib.import_module(f"{service.package}.main").create_app(settings_class(service)(**fields))
    own = (
        app if isinstance(app, ServiceApp) else vars(app)["_fallback"]
    )  # the gateway's proxy stands before its own routes
    return json.dumps(own.api.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def requirements_text(service: Service) -> str:
    """What pip needs to run the service alone: the lock's versions, then shared and the service from this
    clone.
    """
    command = [
        "uv",
        "export",
        "--quiet",
        "--frozen",
        "--no-dev",
        "--no-hashes",
        "--no-emit-workspace",
        "--no-header",
        "--no-annotate",
    ]
    done = subprocess.run(
        [*command, "--package", f"atrium-{service.name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    head = (
        "# Written by `make generate` from uv.lock. Use it in this folder: pip install -r requirements.txt\n"
    )
    return f"{head}{done.stdout.rstrip()}\n-e ../shared\n-e .\n"


def main() -> int:
    """Exit status 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    checking = bool(parser.parse_args().check)
    stale = [path for path, make in derived_files() if not _bring(path, make(), checking=checking)]
    stale += _web_types(checking=checking)
    for path in stale:
        print(f"{path.relative_to(ROOT)} is out of step: run `make generate` and commit the result")
    return 1 if stale else 0


def _bring(path: Path, text: str, *, checking: bool) -> bool:
    """Whether the file is as it should be; without `checking` it is made so."""
    old = path.read_text() if path.exists() else ""
    if old == text:
        return True
    if checking:
        difference = difflib.unified_diff(
            old.splitlines(), text.splitlines(), "committed", "generated", n=1, lineterm=""
        )
        print("\n".join(list(difference)[:_DIFF_LINES_MAX]))
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f"wrote {path.relative_to(ROOT)}")
    return True


def _web_types(*, checking: bool) -> list[Path]:
    """Generate the web client's types; when checking, put back what was there and name what differs."""
    script = ROOT / "web" / "scripts" / "generate-types.mjs"
    if shutil.which("node") is None or not script.exists() or not (ROOT / "web" / "node_modules").is_dir():
        print("web types: skipped, node or web/node_modules is missing (`make web`)")
        return []
    before = _contents(_WEB_TYPES)
    subprocess.run(["npm", "run", "--silent", "generate"], cwd=ROOT / "web", check=True)
    after = _contents(_WEB_TYPES)
    changed = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
    if not checking:
        return []
    for path in changed:
        if path in before:
            path.write_bytes(before[path])
        else:
            path.unlink()
    return changed


def _contents(folder: Path) -> dict[Path, bytes]:
    return (
        {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else {}
    )


if __name__ == "__main__":
    sys.exit(main())
