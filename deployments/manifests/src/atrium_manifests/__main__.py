"""`python -m atrium_manifests`: files for a cluster of one's own, and its secrets."""

import argparse
import base64
import sys
from pathlib import Path
from typing import Any, cast

import yaml
from atrium_local.errors import exit_status
from atrium_local.files import write_private
from shared.operations import VERSION

from atrium_manifests.containers import CONTAINERS, container_named
from atrium_manifests.kubernetes import SECRETS_FILE, kubernetes_files
from atrium_manifests.objects import NAMESPACE, Images, Object, dump, labels_of, object_of
from atrium_manifests.secret_values import secret_values

_SECRETS_HEADING = (
    "Every secret of this installation, written by `make k8s-secrets`; what is here is never changed.",
    "Keep a copy with the data: without it the data cannot be read. It never goes into git.",
)


def main() -> int:
    """Exit status; one line when something is wrong."""
    parser = argparse.ArgumentParser(prog="atrium_manifests", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    secrets = commands.add_parser("secrets", help="write new secrets, or add those that are missing")
    render = commands.add_parser("kubernetes", help="write the manifests for images of a registry")
    render.add_argument("--registry", default="", help="as registry.example.com/atrium")
    render.add_argument("--version", default=VERSION, help="the tag of the images")
    for each in (secrets, render):
        each.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "secrets":
        return exit_status(lambda: write_secrets(options.folder / SECRETS_FILE))
    return exit_status(lambda: write_manifests(options.folder, Images(options.version, options.registry)))


def write_secrets(path: Path) -> int:
    """One Secret for each container that has any; what is in the file stays, whatever it is."""
    objects = _objects_in(path)
    there = {name: _values_of(secret) for name, secret in _secrets_among(objects).items()}
    values = secret_values(there)
    if values == there:
        print(f"{path} holds every secret.")
        return 0
    secrets = _secrets_among(objects)
    for name, wanted in values.items():
        if name not in secrets:
            objects.append(_secret(name, wanted))
        elif wanted != there[name]:
            secrets[name].pop("data", None)
            secrets[name]["stringData"] = wanted
    write_private(path, dump(objects, _SECRETS_HEADING), lasting=True)
    added = sum(len(values[name].keys() - there.get(name, {}).keys()) for name in values)
    print(f"{path}: {added} secrets added.")
    return 0


def read_secrets(path: Path) -> dict[str, dict[str, str]]:
    """The values of a file that `write_secrets` wrote, by container; empty without the file."""
    return {name: _values_of(secret) for name, secret in _secrets_among(_objects_in(path)).items()}


def _objects_in(path: Path) -> list[Object]:
    if not path.exists():
        return []
    return [each for each in cast("list[Object]", list(yaml.safe_load_all(path.read_text()))) if each]


def _secrets_among(objects: list[Object]) -> dict[str, Object]:
    """The Secrets of containers of the table, by container."""
    known = {container.name for container in CONTAINERS if container.secrets}
    return {
        each["metadata"]["name"]: each
        for each in objects
        if each["kind"] == "Secret"
        and each["metadata"]["name"] in known
        and each["metadata"].get("namespace", NAMESPACE) == NAMESPACE
    }


def _values_of(secret: Object) -> dict[str, str]:
    """As a server takes them: what is plain goes before what is encoded."""
    encoded = cast("dict[str, str]", secret.get("data") or {})
    values = {name: base64.b64decode(value).decode() for name, value in encoded.items()}
    return {**values, **(secret.get("stringData") or {})}


def write_manifests(folder: Path, images: Images) -> int:
    """What `kubernetes/` holds, for these images."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in kubernetes_files(images).items():
        (folder / name).write_text(text)
    print(f"{folder}: images {images.of('atrium-*')}.")
    return 0


def _secret(container: str, values: dict[str, str]) -> dict[str, Any]:
    labels = labels_of(container_named(container))
    return object_of("v1", "Secret", container, labels=labels, type="Opaque", stringData=values)


if __name__ == "__main__":
    sys.exit(main())
