"""The table of containers says what the code says: ports, arrows, and variables that are really read."""

import json
from pathlib import Path

import pytest
from atrium_local import services
from atrium_local.passing import SUPERVISOR
from atrium_local.services import SERVICES, Service
from atrium_manifests.containers import CONTAINERS, MIGRATE, MODEL_SERVER, container_named
from atrium_manifests.secret_values import secret_values
from atrium_manifests.settings_classes import settings_class
from atrium_manifests.shapes import Container
from atrium_manifests.stores import POSTGRES
from cluster_objects import ROOT
from shared.arrows import ARROWS
from shared.settings import load_settings

READ_BY = json.loads(Path(services.__file__).with_name("variables.json").read_text())
OURS = [container for container in CONTAINERS if container.settings is not None]


@pytest.fixture(scope="module")
def secrets() -> dict[str, dict[str, str]]:
    return secret_values({})


def given(container: Container) -> set[str]:
    """Every variable the container gets or may get."""
    named = {container.replica_variable} if container.replica_variable else set[str]()
    return {*container.config, *container.secrets, *container.optional_secrets} | named


def readable(container: Container) -> set[str]:
    """Every variable its program reads."""
    return set(READ_BY[SUPERVISOR if container is MODEL_SERVER else container.name])


@pytest.mark.parametrize("container", OURS, ids=lambda container: container.name)
def test_each_variable_is_one_that_the_program_reads(container: Container) -> None:
    assert given(container) <= readable(container)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_each_setting_that_must_be_given_is_given(service: Service) -> None:
    container = container_named(service.name)
    required = {
        name.upper() for name, field in settings_class(service).model_fields.items() if field.is_required()
    }
    assert required <= {*container.config, *container.secrets}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_settings_load_and_are_taken(
    service: Service,
    secrets: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    container = container_named(service.name)
    optional = dict.fromkeys(container.optional_secrets, "s" * 40)
    told = {**container.config, **secrets[service.name], **optional, "ATRIUM_HOME": str(tmp_path)}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(settings_class(service))
    assert settings.env == "prod"
    assert settings.port == service.port == container.port()
    assert f"--port {service.port}" in " ".join(container.command)


def test_each_arrow_of_the_code_is_drawn_and_no_other() -> None:
    names = {service.name for service in SERVICES}
    drawn = {(container.name, target) for container in CONTAINERS for target in container.calls}
    assert drawn == set(ARROWS)
    assert {container.name for container in CONTAINERS if container.schema} == names


def test_a_service_is_told_only_the_addresses_of_those_it_calls() -> None:
    for service in SERVICES:
        container = container_named(service.name)
        told = {other.name for other in SERVICES if other.url_variable in container.config}
        assert told == set(container.calls)


def test_what_a_container_reaches_is_in_the_table_and_listens() -> None:
    for container in CONTAINERS:
        assert all(container_named(name).ports for name in container.reaches)


def test_the_migration_gets_the_passwords_of_every_role() -> None:
    variables = {service.owner_password_variable for service in SERVICES}
    variables |= {service.app_password_variable for service in SERVICES}
    assert variables < set(MIGRATE.secrets)


def test_what_outlives_a_process_has_an_owner() -> None:
    lasting = {container.name for container in CONTAINERS if any(it.lasting for it in container.folders)}
    assert lasting <= {container.name for container in CONTAINERS if container.owns}
    assert all(container.owns for container in CONTAINERS if container.replica_variable)


def test_every_variable_is_one_that_the_example_lists() -> None:
    example = (ROOT / ".env.example").read_text()
    listed = {line.removeprefix("# ").partition("=")[0] for line in example.splitlines()}
    for service in SERVICES:
        assert given(container_named(service.name)) <= listed


def test_postgresql_takes_the_connections_of_all_replicas_during_an_update() -> None:
    def connections(service: Service) -> int:
        raw = 10 if service.name in {"chat-service", "billing-service"} else 0
        return (
            settings_class(service).model_fields["database_pool_max"].default + raw + 5 * service.durable + 2
        )

    most = sum(
        connections(service) * (container_named(service.name).replicas_max + 1) for service in SERVICES
    )
    (limit,) = [each for each in POSTGRES.arguments if each.startswith("max_connections=")]
    limit = limit.partition("=")[2]
    assert most < int(limit) - 10
    assert f"{most} of the {limit} that" in (ROOT / "docs" / "deployments.md").read_text()
