"""`make images`: build every image of the table, print their sizes and write what each is made of.

The bills of materials (CycloneDX, from the locks) go to dist/sbom.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from atrium_local.services import GATEWAY, SERVICES
from atrium_manifests.containers import CONTAINERS
from shared.operations import VERSION

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "deployments" / "docker" / "Dockerfile"
SBOM = ROOT / "dist" / "sbom"
IMAGES = tuple(dict.fromkeys(container.image for container in CONTAINERS if container.ours))
_SERVICE_NAMES = {service.name for service in SERVICES}


def target_of(image: str) -> str:
    """The Dockerfile's target: `chat-service` of `atrium-chat-service`."""
    return image.removeprefix("atrium-")


def build_command(docker: str, image: str, *, registry: str, tag: str, extra: list[str]) -> list[str]:
    """The whole command; it runs at the root of the clone."""
    target = target_of(image)
    command = [docker, "build", "-f", str(DOCKERFILE.relative_to(ROOT)), "--target", target]
    arguments = {"VERSION": tag, "REVISION": _revision()}
    if target in _SERVICE_NAMES:
        arguments["SERVICE"] = target
    for name, value in arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    return [*command, *extra, "-t", name_of(image, registry=registry, tag=tag), "."]


def name_of(image: str, *, registry: str, tag: str) -> str:
    """registry/image:tag, without a registry image:tag."""
    return f"{registry.rstrip('/')}/{image}:{tag}" if registry else f"{image}:{tag}"


def write_sbom(image: str) -> None:
    """What the image is made of, from the locks."""
    SBOM.mkdir(parents=True, exist_ok=True)
    target = target_of(image)
    package = f"atrium-{target}" if target in _SERVICE_NAMES else "atrium-local"
    command = ["uv", "export", "--quiet", "--frozen", "--no-dev", "--format", "cyclonedx1.5"]
    _write(SBOM / f"{image}.cdx.json", [*command, "--package", package], ROOT)
    if target == GATEWAY.name and shutil.which("npm"):
        npm = ["npm", "sbom", "--package-lock-only", "--omit", "dev", "--sbom-format", "cyclonedx"]
        _write(SBOM / "atrium-web.cdx.json", npm, ROOT / "web")


def _write(path: Path, command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    path.write_text(done.stdout)


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _megabytes(docker: str, name: str) -> str:
    command = [docker, "image", "inspect", "--format", "{{.Size}}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"{int(done.stdout) / 1e6:,.0f} MB"


def main() -> int:
    """Exit status of the first build that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", default="", help="put before each name")
    parser.add_argument("--tag", default=VERSION)
    parser.add_argument("--docker", default="docker", help="the program that builds, as docker or podman")
    parser.add_argument("--sbom-only", action="store_true", help="build nothing")
    parser.add_argument("names", nargs="*", help="targets to build, by default all")
    arguments, extra = parser.parse_known_args()
    images = [image for image in IMAGES if not arguments.names or target_of(image) in arguments.names]
    sizes: list[str] = []
    for image in images:
        write_sbom(image)
        if arguments.sbom_only:
            continue
        place = {"registry": arguments.registry, "tag": arguments.tag}
        command = build_command(arguments.docker, image, **place, extra=extra)
        if status := subprocess.run(command, cwd=ROOT, check=False).returncode:
            return status
        name = name_of(image, **place)
        sizes.append(f"{name:50} {_megabytes(arguments.docker, name):>10}")
    print("\n".join([*sizes, f"bills of materials: {SBOM.relative_to(ROOT)}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
