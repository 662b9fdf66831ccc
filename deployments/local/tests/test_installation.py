"""Secrets, environments and the folder of an installation."""

import importlib
import json
import os
import stat
from pathlib import Path

import pytest
from atrium_local import files, supervisor
from atrium_local.addresses import database_of, role_url
from atrium_local.credentials import USER_KEY_ID, Credentials
from atrium_local.environments import read_dotenv
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.installation import Installation
from atrium_local.services import SERVICES, service_named
from atrium_local.settings import LocalSettings
from dotenv import dotenv_values
from identities import make_principal
from shared.arrows import callers_of
from shared.auth.tokens import USER_KEY_ID as SHARED_USER_KEY_ID
from shared.auth.tokens import ServiceTokens, TokenVerifier
from shared.settings import ServiceSettings


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation.open(LocalSettings(atrium_home=tmp_path / "home"))


def env_of(installation: Installation, service: str) -> dict[str, str | None]:
    return dotenv_values(installation.home.env / f"{service}.env")


def test_secrets_are_private_and_stay_the_same(installation: Installation) -> None:
    path = installation.home.secrets
    before = path.read_text()
    again = Installation.open(installation.settings)
    assert path.read_text() == before
    assert again.credentials.postgres_password == installation.credentials.postgres_password
    for private in (path, *installation.home.env.glob("*.env")):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_every_service_has_its_own_role_and_key(installation: Installation) -> None:
    values = [env_of(installation, service.name) for service in SERVICES]
    assert len({each["DATABASE_URL"] for each in values}) == len(SERVICES)
    assert len({each["SERVICE_SIGNING_KEY"] for each in values}) == len(SERVICES)
    assert "USER_SIGNING_KEY" in env_of(installation, "gateway")
    assert "USER_SIGNING_KEY" not in env_of(installation, "chat-service")


def test_a_service_token_signed_with_one_file_is_verified_with_another(installation: Installation) -> None:
    chat, billing = env_of(installation, "chat-service"), env_of(installation, "billing-service")
    tokens = ServiceTokens(signing_key_pem=str(chat["SERVICE_SIGNING_KEY"]), service="chat-service")
    principal = make_principal()
    verifier = TokenVerifier(
        jwks=str(billing["TOKEN_JWKS"]), audience="billing-service", callers=callers_of("billing-service")
    )
    verified = verifier.verify(
        tokens.header_for("billing-service", principal).decode().removeprefix("Bearer ")
    )
    assert verified.service == "chat-service"
    assert verified.user_id == principal.user_id


def test_the_user_key_is_called_as_in_shared() -> None:
    assert USER_KEY_ID == SHARED_USER_KEY_ID


def test_own_settings_win_and_are_kept(installation: Installation) -> None:
    own = installation.home.env / "chat-service.local.env"
    own.write_text("# mine\nLOG_LEVEL='DEBUG'\nDATABASE_POOL_MAX = 9\n")
    again = Installation.open(installation.settings)
    assert env_of(again, "chat-service")["DATABASE_POOL_MAX"] == "9"
    assert again.environments.for_service(service_named("chat-service"))["LOG_LEVEL"] == "DEBUG"
    assert read_dotenv(own) == {"LOG_LEVEL": "DEBUG", "DATABASE_POOL_MAX": "9"}


def test_children_keep_bytecode_in_the_cache_where_the_shell_forbids_it_beside_the_sources(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    child = installation.environments.for_service(service_named("chat-service"))
    assert "PYTHONDONTWRITEBYTECODE" not in child
    assert child["PYTHONPYCACHEPREFIX"].endswith("bytecode")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    assert "PYTHONPYCACHEPREFIX" not in installation.environments.for_service(service_named("chat-service"))


SECRETS = {
    "OPENAI_API_KEYS": "inference-service",
    "OPENAI_API_KEY": "inference-service",
    "SETUP_TOKEN": "gateway",
    "QDRANT_API_KEY": "retrieval-service",
    "S3_SECRET_ACCESS_KEY": "retrieval-service",
    "AWS_SECRET_ACCESS_KEY": "retrieval-service",
    "MCP_SECRETS_KEY": "agent-service",
    "WEATHER_TOKEN": "agent-service",  # by the file of MCP servers
    "DATABASE_ADMIN_URL": None,
    "MODEL_URL": None,
    "UV_DEFAULT_INDEX": None,
    "PGPASSWORD": None,
    "GITHUB_TOKEN": None,
    "ANTHROPIC_API_KEY": None,
    "MY_PASSWORD": None,
}


def test_a_process_gets_the_secrets_that_are_its_own_and_no_other(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    servers = tmp_path / "mcp.yaml"
    servers.write_text("servers:\n- name: weather\n  command: weather\n  env_from: [WEATHER_TOKEN]\n")
    monkeypatch.setenv("MCP_SERVERS_FILE", str(servers))
    for name in SECRETS:
        monkeypatch.setenv(name, f"value of {name}")
    environments = {service.name: installation.environments.for_service(service) for service in SERVICES}
    environments["model"] = installation.environments.for_model()
    environments["engine"] = installation.environments.child_base("engine")
    environments["build"] = installation.environments.child_base("build")
    for name, owner in SECRETS.items():
        holders = {reader for reader, values in environments.items() if name in values and reader != "model"}
        assert holders == ({owner} if owner else set()), name
    assert {name for name in SECRETS if name in environments["model"]} == {"MODEL_URL", "UV_DEFAULT_INDEX"}


def test_every_secret_setting_has_few_readers() -> None:
    """Secrets that several services read are those of the installation itself; the next one must be thought
    about.
    """
    readers: dict[str, set[str]] = {}
    for service in SERVICES:
        module = importlib.import_module(f"{service.package}.settings")
        for found in vars(module).values():
            if (
                isinstance(found, type)
                and issubclass(found, ServiceSettings)
                and found is not ServiceSettings
            ):
                for name, field in found.model_fields.items():
                    if "SecretStr" in str(field.annotation):
                        readers.setdefault(name, set()).add(service.name)
    assert {name for name, found in readers.items() if len(found) > 1} == {
        "database_url",
        "jwt_secret_key",
        "metrics_token",
        "service_signing_key",
    }


def test_what_every_program_needs_is_passed_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {
        "HTTPS_PROXY": "http://proxy",
        "SSL_CERT_FILE": "/ca.pem",
        "LANG": "C",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "2",
        "LOG_LEVEL": "DEBUG",
    }
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    for service in SERVICES:
        assert wanted.items() <= installation.environments.for_service(service).items()
        assert "PATH" in installation.environments.for_service(service)


def test_the_secrets_are_on_the_disk_before_anything_is_made_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the data would be there and its password not."""
    path = tmp_path / "secrets.json"
    synced: list[tuple[bool, bool]] = []
    monkeypatch.setattr(
        files.os,
        "fsync",
        lambda descriptor: synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists())),
    )
    Credentials.load(path)
    assert synced == [(False, False), (True, True)]  # its bytes before it has its name, then the name


async def test_the_link_of_the_first_administrator_is_found_whatever_hosts_the_gateway_answers_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LocalSettings(
        atrium_home=tmp_path / "home", trusted_hosts="atrium.example.com;other.example.com"
    )
    asked: list[str | None] = []

    async def gateway(_port: int, _path: str, *, host: str, called: str | None = None) -> tuple[int, bytes]:
        asked.append(called)
        return (200, b'{"setup_required": true}') if called == "atrium.example.com" else (421, b"")

    monkeypatch.setattr(supervisor, "get", gateway)
    monkeypatch.setattr(supervisor, "_CONFIG_TRIES_MAX", 1)
    assert await supervisor.Supervisor(Installation.open(settings))._needs_first_person()
    assert asked == ["atrium.example.com"]


@pytest.mark.parametrize(
    ("hosts", "public_url", "address"),
    [
        ("", None, "http://127.0.0.1:8000"),
        ("", "http://localhost", "http://127.0.0.1:8000"),
        ("*", "https://atrium.example.com", "http://127.0.0.1:8000"),
        ("127.0.0.1;atrium.example.com", "https://atrium.example.com", "http://127.0.0.1:8000"),
        ("atrium.example.com", "https://atrium.example.com/", "https://atrium.example.com"),
        ("atrium.example.com; other.example.com", None, "http://atrium.example.com:8000"),
    ],
)
def test_the_address_that_is_told_is_one_that_is_answered(
    tmp_path: Path, hosts: str, public_url: str | None, address: str
) -> None:
    settings = LocalSettings(atrium_home=tmp_path, port=8000, trusted_hosts=hosts, public_url=public_url)
    assert Installation.open(settings).address == address


def test_a_damaged_secrets_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("{half")
    with pytest.raises(LocalError, match="restore it from a backup"):
        Credentials.load(path)
    assert path.read_text() == "{half"


def test_a_key_that_a_newer_version_needs_is_added(installation: Installation) -> None:
    path = installation.home.secrets
    values = json.loads(path.read_text())
    kept = values["postgres_password"]
    del values["setup_token"]
    path.write_text(json.dumps(values))
    credentials = Credentials.load(path)
    assert credentials.setup_token
    assert credentials.postgres_password == kept


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    (tmp_path / "layout").write_text("99\n")
    with pytest.raises(LocalError, match="laid out by another version"):
        home.prepare()


def test_only_one_supervisor_runs_on_a_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    assert not home.is_locked()
    with home.locked():
        assert home.is_locked()
        with pytest.raises(LocalError, match="already runs"), home.locked():
            pass
    assert not home.is_locked()


def test_a_database_elsewhere_keeps_its_host_and_options() -> None:
    admin = "postgresql://root:x@db.example:6432/postgres?sslmode=require"
    assert database_of(admin) == "atrium"
    assert role_url(admin, "atrium", role="chat_app", password="a/b@c") == (
        "postgresql://chat_app:a%2Fb%40c@db.example:6432/atrium?sslmode=require"
    )


def test_a_name_in_except_that_is_no_service_is_refused(tmp_path: Path) -> None:
    installation = Installation.open(LocalSettings(atrium_home=tmp_path, except_services="chat"))
    with pytest.raises(LocalError, match="which is no service"):
        installation.started_services()


def test_a_prepared_database_is_given_to_every_service(tmp_path: Path) -> None:
    settings = LocalSettings(atrium_home=tmp_path, database_url="postgresql://me:secret@db.example/mine")
    installation = Installation.open(settings)
    assert not settings.runs_postgres
    assert env_of(installation, "chat-service")["DATABASE_URL"] == "postgresql://me:secret@db.example/mine"


def test_the_index_is_the_configured_one_else_the_one_of_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    locked = LocalSettings().index
    assert f'registry = "{locked}"' in (LocalSettings().clone_root / "uv.lock").read_text()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mine=http://127.0.0.1:9/simple")
    assert LocalSettings().index == "http://127.0.0.1:9/simple"
