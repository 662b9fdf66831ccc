"""The Compose files and the Dockerfile: what they promise, and that they agree with the table."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from atrium_local.container_secrets import container_secrets
from atrium_local.services import SERVICES, Service, service_named
from atrium_manifests.compose import OPTIONAL, compose_text, prometheus_text
from atrium_manifests.containers import CONTAINERS, container_named
from atrium_manifests.settings_classes import settings_class
from shared.operations import VERSION
from shared.settings import environment

DEPLOYMENTS = Path(__file__).parents[2]
SUITE: dict[str, Any] = yaml.safe_load(compose_text())
STACKS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((DEPLOYMENTS / "compose" / f"{name}.yml").read_text()) for name in OPTIONAL
}
DOCKERFILE = (DEPLOYMENTS / "docker" / "Dockerfile").read_text()
OURS = {container.image.removeprefix("atrium-"): container for container in CONTAINERS if container.ours}


def texts() -> str:
    """All files, with folded lines in one."""
    stacks = [(DEPLOYMENTS / "compose" / f"{name}.yml").read_text() for name in OPTIONAL]
    return " ".join("\n".join([compose_text(), *stacks]).split())


def docker(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", "-f", str(DEPLOYMENTS / "docker-compose.yml"), *arguments],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def compose() -> None:
    if shutil.which("docker") is None or docker("version").returncode:
        pytest.skip("Docker Compose is not installed")


def test_only_the_gateway_is_reached_from_other_machines() -> None:
    assert [name for name, service in SUITE["services"].items() if "ports" in service] == ["gateway"]
    published = [
        port
        for stack in STACKS.values()
        for service in stack["services"].values()
        for port in service.get("ports", ())
    ]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SUITE["services"])
def test_a_container_may_do_little(name: str) -> None:
    service = SUITE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    user, _ = service["user"].split(":")
    assert int(user) > 0


def test_every_secret_is_written_by_the_command_that_is_named() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", texts()))
    assert needed
    assert needed <= container_secrets({}).keys()
    assert set(re.findall(r":\?([^}]+)\}", texts())) == {"run `make compose-env` at the root of the clone"}


def test_what_may_be_set_is_in_the_example() -> None:
    optional = set(re.findall(r"\$\{(\w+):[-+]", texts()))
    example = (DEPLOYMENTS / ".env.example").read_text()
    assert optional == set(re.findall(r"^# (\w+)=", example, re.MULTILINE))


def test_images_of_others_are_pinned_and_say_that_they_were_not_tried() -> None:
    for name in OPTIONAL:
        text = (DEPLOYMENTS / "compose" / f"{name}.yml").read_text()
        images = re.findall(r"image: (\S+)(.*)", text)
        assert images
        for image, comment in images:
            assert re.search(r":[\w.-]*\d", image)
            assert comment == " # untested"


@pytest.mark.parametrize("target", OURS)
def test_the_image_of_a_container_runs_what_the_table_says(target: str) -> None:
    stage = DOCKERFILE.partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
    container = OURS[target]
    command = yaml.safe_load(re.findall(r"^CMD (\[.*\])$", stage, re.MULTILINE)[-1])
    assert list(container.command[: len(command)]) == command
    assert f"WORKDIR {container.folder}" in stage or "FROM operations AS " + target in DOCKERFILE
    exposed = [int(port) for port in re.findall(r"^EXPOSE (\d+)$", stage, re.MULTILINE)]
    assert exposed == [port.number for port in container.ports if port.name == "http"]
    assert SUITE["services"][container.name]["build"]["target"] == target


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """As Compose replaces variables."""
    return re.sub(r"\$\{(\w+):[?-]([^}]*)\}", lambda match: values.get(match[1]) or match[2], text)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_is_told_all_that_it_must_know(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = container_secrets({})
    for name in environment():
        monkeypatch.delenv(name)
    for name, value in SUITE["services"][service.name]["environment"].items():
        monkeypatch.setenv(name, filled_in(value, secrets))
    settings = settings_class(service)()
    password = secrets[service.app_password_variable]
    address = f"postgresql://{service.app_role}:{password}@postgres:5432/atrium"
    assert settings.database_url.get_secret_value() == address
    assert settings.service_signing_key.get_secret_value() == secrets[service.signing_key_variable]
    for called in map(service_named, container_named(service.name).calls):
        assert getattr(settings, called.url_variable.lower()) == f"http://{called.name}:{called.port}"


def test_the_version_of_an_image_is_that_of_the_code() -> None:
    assert f"ARG VERSION={VERSION}\n" in DOCKERFILE


def test_prometheus_asks_every_service() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load(prometheus_text())["scrape_configs"]}
    assert jobs == {container.name for container in CONTAINERS if container.schema}


def test_compose_takes_the_files(compose: None, tmp_path: Path) -> None:
    secrets = {name: value.replace("\n", " ") for name, value in container_secrets({}).items()}
    done = docker("--profile", "*", "config", "--services", **secrets)
    assert done.returncode == 0, done.stderr
    expected = {name for document in (SUITE, *STACKS.values()) for name in document["services"]}
    assert set(done.stdout.split()) == expected


def test_without_secrets_one_sentence_names_the_command(compose: None, tmp_path: Path) -> None:
    done = docker("--env-file", "/dev/null", "config", "--quiet")
    assert done.returncode != 0
    assert "run `make compose-env` at the root of the clone" in done.stderr.splitlines()[-1]
