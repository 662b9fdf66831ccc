"""`make k8s-secrets`: random, complete, and never made twice."""

import base64
import stat
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from atrium_local.addresses import role_url
from atrium_local.services import SERVICES
from atrium_manifests.__main__ import read_secrets, write_secrets
from atrium_manifests.containers import CONTAINERS, MIGRATE
from atrium_manifests.kubernetes import SECRETS_FILE
from shared.arrows import ARROWS
from shared.auth.tokens import ServiceTokens, TokenVerifier

Values = dict[str, dict[str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / SECRETS_FILE


@pytest.fixture
def written(path: Path) -> Values:
    write_secrets(path)
    return read_secrets(path)


def test_every_container_gets_what_it_must_have_and_nobody_elses(written: Values) -> None:
    assert {name: set(values) for name, values in written.items()} == {
        container.name: set(container.secrets) for container in CONTAINERS if container.secrets
    }


def test_a_strict_server_takes_them_and_only_this_user_reads_the_file(path: Path, written: Values) -> None:
    for each in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(each, "1.34", strict=True)
    assert written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_installations_share_no_secret(tmp_path: Path, written: Values) -> None:
    write_secrets(tmp_path / "other" / SECRETS_FILE)
    other = read_secrets(tmp_path / "other" / SECRETS_FILE)

    def flat(values: Values) -> set[str]:
        return {value for each in values.values() for value in each.values()}

    assert not flat(written) & flat(other)


def test_the_migration_makes_the_roles_that_the_services_sign_in_as(written: Values) -> None:
    admin = written[MIGRATE.name]["DATABASE_ADMIN_URL"]
    assert written["postgres"]["POSTGRES_PASSWORD"] in admin
    for service in SERVICES:
        password = written[MIGRATE.name][service.app_password_variable]
        expected = role_url(admin, "atrium", role=service.app_role, password=password)
        assert written[service.name]["DATABASE_URL"] == expected


def test_the_keys_fit_along_every_arrow(written: Values) -> None:
    for caller, target in ARROWS:
        tokens = ServiceTokens(signing_key_pem=written[caller]["SERVICE_SIGNING_KEY"], service=caller)
        verifier = TokenVerifier(
            jwks=written[target]["TOKEN_JWKS"], audience=target, callers={caller: frozenset()}
        )
        token = tokens.header_for(target).decode().removeprefix("Bearer ")
        assert verifier.verify(token).service == caller


def test_what_two_containers_share_is_the_same(written: Values) -> None:
    retrieval = written["retrieval-service"]
    assert retrieval["QDRANT_API_KEY"] == written["qdrant"]["QDRANT__SERVICE__API_KEY"]
    assert retrieval["S3_ACCESS_KEY_ID"] == written["objects"]["AWS_ACCESS_KEY_ID"]
    assert retrieval["S3_SECRET_ACCESS_KEY"] == written["objects"]["AWS_SECRET_ACCESS_KEY"]
    assert written["redis"]["REDIS_PASSWORD"] in written["gateway"]["REDIS_URL"]
    key = written["inference-service"]["LOCAL_MODEL_API_KEY"]
    assert key == written["model-server"]["LOCAL_MODEL_API_KEY"]


def test_a_second_time_nothing_changes(path: Path, written: Values) -> None:
    before = path.read_bytes()
    write_secrets(path)
    assert path.read_bytes() == before


def test_only_what_is_missing_is_added_and_values_of_the_operators_own_stay(
    path: Path, written: Values
) -> None:
    text = path.read_text().replace(
        written["chat-service"]["DATABASE_URL"], "postgresql://chat@db.example.com/atrium"
    )
    documents = [each for each in yaml.safe_load_all(text) if each["metadata"]["name"] != "qdrant"]
    for each in documents:
        if each["metadata"]["name"] == "inference-service":
            each["stringData"]["OPENAI_API_KEYS"] = "sk-own"
    path.write_text(yaml.safe_dump_all(documents))
    write_secrets(path)
    after = read_secrets(path)
    assert after["chat-service"]["DATABASE_URL"] == "postgresql://chat@db.example.com/atrium"
    assert after["inference-service"]["OPENAI_API_KEYS"] == "sk-own"
    assert after["qdrant"] == written["qdrant"]  # retrieval knows it still
    assert after["migrate"] == written["migrate"]


def test_a_service_that_is_new_gets_a_key_that_the_others_know(path: Path, written: Values) -> None:
    documents = [
        each for each in yaml.safe_load_all(path.read_text()) if each["metadata"]["name"] != "chat-service"
    ]
    path.write_text(yaml.safe_dump_all(documents))
    write_secrets(path)
    after = read_secrets(path)
    assert after["chat-service"]["SERVICE_SIGNING_KEY"] != written["chat-service"]["SERVICE_SIGNING_KEY"]
    assert {values["TOKEN_JWKS"] for values in after.values() if "TOKEN_JWKS" in values} == {
        after["chat-service"]["TOKEN_JWKS"]
    }
    assert after["chat-service"]["DATABASE_URL"] == written["chat-service"]["DATABASE_URL"]


def test_what_else_is_in_the_file_stays_and_encoded_values_are_read(path: Path, written: Values) -> None:
    objects = list(yaml.safe_load_all(path.read_text()))
    billing = next(each for each in objects if each["metadata"]["name"] == "billing-service")
    secret = billing.pop("stringData")
    billing["data"] = {name: base64.b64encode(value.encode()).decode() for name, value in secret.items()}
    billing["metadata"]["annotations"] = {"owner": "billing"}
    del next(each for each in objects if each["metadata"]["name"] == "qdrant")["stringData"]
    own = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "atrium-tls"},
        "data": {"tls.crt": "Zg=="},
    }
    servers = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "redis"}, "data": {"a": "b"}}
    path.write_text(yaml.safe_dump_all([*objects, own, servers]) + "---\n")
    write_secrets(path)
    after = [each for each in yaml.safe_load_all(path.read_text()) if each]
    assert own in after
    assert servers in after
    assert billing in after
    assert read_secrets(path) == written  # retrieval knows the key of Qdrant still
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
