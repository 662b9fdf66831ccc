"""Settings every service has, and the one place the process environment is read."""

import os
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound="ServiceSettings")

BUILT_IN_EMBEDDING_MODEL = "all-minilm-l6-v2"
_EMBEDDING_MODEL_HOME = "sentence-transformers/"
_SHARED_SECRET_BYTES_MIN = 32  # RFC 7518, section 3.2: a key of HS256 is at least as long as its hash
_EXAMPLE_SECRETS = frozenset({"your-secret-key", "changeme", "change-me", "secret"})


def find_clone_root(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` (default: the working directory) that holds the workspace, or
    None outside a clone.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "shared" / "src" / "shared").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return None


def default_home() -> Path:
    """ATRIUM_HOME, else `.atrium` in the clone, else in the working directory."""
    if configured := os.environ.get("ATRIUM_HOME"):
        return Path(configured).resolve()
    return (find_clone_root() or Path.cwd()) / ".atrium"


def environment() -> dict[str, str]:
    """A copy of the process environment, for the few who pass it on to children."""
    return dict(os.environ)


def postgresql_only(url: str) -> str:
    """A database address that can work; `postgres://` is written as `postgresql://`.

    Raises: ValueError for another database, without the address, which may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    dialect = scheme.partition("+")[0].lower()
    if separator and dialect == "postgres":
        return f"postgresql://{rest}"
    if separator and dialect == "postgresql":
        return url
    named = f"{dialect} is not supported" if separator else "this is no postgresql:// address"
    raise ValueError(
        f"{named}: Atrium keeps its ledger and locks in PostgreSQL only; set it to "
        "postgresql://user:password@host/database,"
        " or unset it and `make run` brings a PostgreSQL of its own"
    )


def weakness_of(shared_secret: str) -> str | None:
    """Why JWT_SECRET_KEY is no secret, None when nothing is known against it."""
    if shared_secret.lower() in _EXAMPLE_SECRETS:
        return "is the example of the documentation, with which anybody can sign in as anybody"
    if len(shared_secret.encode()) < _SHARED_SECRET_BYTES_MIN:
        return f"is shorter than {_SHARED_SECRET_BYTES_MIN} bytes and can be guessed"
    return None


def weak_secret_advice(weakness: str) -> str:
    """The whole sentence about a weak JWT_SECRET_KEY."""
    return (
        f"JWT_SECRET_KEY {weakness}: set it to the output of `openssl rand -hex 32`, or unset it and "
        "tokens are signed with EdDSA"
    )


def embedding_model_id(name: str) -> str:
    """The name a service uses: the built-in model's own for each way people write it, any other as it is."""
    plain = name.strip().lower().removeprefix(_EMBEDDING_MODEL_HOME)
    return BUILT_IN_EMBEDDING_MODEL if plain == BUILT_IN_EMBEDDING_MODEL else name


def built_in_embedding_model(name: str) -> str:
    """For a setting that takes no other model. Raises: ValueError."""
    found = embedding_model_id(name)
    if found != BUILT_IN_EMBEDDING_MODEL:
        raise ValueError(
            f"{name[:80]!r} cannot be used: passages are measured and stored for the built-in model;"
            f" set it to {BUILT_IN_EMBEDDING_MODEL} (or sentence-transformers/all-MiniLM-L6-v2), or unset it"
        )
    return found


def explain(error: ValidationError) -> str:
    """What is wrong with which variable, on one line and without its value."""
    items = error.errors(include_input=False)
    return "; ".join(
        _problem(".".join(map(str, item["loc"])).upper(), item["msg"].removeprefix("Value error, "))
        for item in items
    )


def _problem(variable: str, text: str) -> str:
    return f"{variable}: {text}" if variable else text


class ServiceSettings(BaseSettings):
    """What all services read. Variable names are the field names in upper case."""

    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, case_sensitive=False, env_ignore_empty=True
    )

    service: ClassVar[str] = "service"

    env: Literal["dev", "prod"] = Field(default="dev", description="`prod` turns on the strict mode")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    host: str = Field(default="127.0.0.1", description="address the service binds")
    port: int = Field(default=8000, ge=0, le=65535, description="port the service binds")
    atrium_home: Path = Field(
        default_factory=default_home, description="folder of data, keys and logs of a local installation"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        validation_alias=AliasChoices("PUBLIC_URL", "WEBUI_URL", "public_url"),
        description="address people open in the browser; links in messages start with it",
    )
    webui_name: str = Field(default="Atrium", max_length=80, description="name shown in the web client")

    database_url: SecretStr = Field(description="postgresql:// address with the service's own role")
    database_pool_max: int = Field(
        default=5, ge=1, le=100, description="connections one process keeps at most"
    )
    jwt_secret_key: SecretStr | None = Field(
        default=None, description="set: user tokens are HS256 with this key instead of EdDSA"
    )
    service_signing_key: SecretStr = Field(description="PEM of this service's Ed25519 private key")
    token_jwks: str = Field(
        description="JSON Web Key Set with the public keys of the gateway and of every service"
    )

    gateway_url: str = Field(default="http://127.0.0.1:8000", description="where the gateway answers")
    inference_service_url: str = Field(
        default="http://127.0.0.1:8001", description="where the inference-service answers"
    )
    agent_service_url: str = Field(
        default="http://127.0.0.1:8002", description="where the agent-service answers"
    )
    retrieval_service_url: str = Field(
        default="http://127.0.0.1:8003", description="where the retrieval-service answers"
    )
    chat_service_url: str = Field(
        default="http://127.0.0.1:8004", description="where the chat-service answers"
    )
    billing_service_url: str = Field(
        default="http://127.0.0.1:8005", description="where the billing-service answers"
    )

    otel_exporter_otlp_endpoint: str | None = Field(
        default=None, description="OTLP/HTTP collector; unset: no spans leave or are made"
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="set: /metrics needs `Authorization: Bearer` with this value"
    )
    direct_calls_per_minute: int = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="calls a user or key may make straight to one process of this service, past the gateway",
    )
    drain_timeout_s: float = Field(
        default=20, ge=0, le=600, description="seconds that running work gets at shutdown"
    )

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        return SecretStr(postgresql_only(value.get_secret_value()))

    @model_validator(mode="after")
    def _production_has_a_real_secret(self) -> Self:
        weakness = self.weak_secret
        if weakness is not None and self.env == "prod":
            raise ValueError(f"{weak_secret_advice(weakness)} (ENV=prod takes no other)")
        return self

    @property
    def weak_secret(self) -> str | None:
        """What is wrong with JWT_SECRET_KEY; None when it is unset or good."""
        return (
            weakness_of(self.jwt_secret_key.get_secret_value()) if self.jwt_secret_key is not None else None
        )


class SettingsError(Exception):
    """The configuration cannot work; the message is one clear line."""


def load_settings(cls: type[S], **overrides: Any) -> S:
    """Settings of `cls` from the environment, then from ATRIUM_HOME/env/<service>.env.

    Raises:
        SettingsError: something is missing or malformed; the text names the variable, never its value.
    """
    env_file = default_home() / "env" / f"{cls.service}.env"
    try:
        return cls(_env_file=env_file if env_file.is_file() else None, **overrides)  # pyright: ignore[reportCallIssue] - pydantic-settings' own parameter
    except ValidationError as error:
        hint = "" if env_file.is_file() else f" (no {env_file}; `make deps` starts the engines and writes it)"
        raise SettingsError(f"{cls.service} cannot start: {explain(error)}{hint}") from None


def load_settings_or_exit(cls: type[S]) -> S:
    """As load_settings, but a broken configuration ends the process with one line and status 2."""
    try:
        settings = load_settings(cls)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    if settings.weak_secret is not None:
        sys.stderr.write(f"{cls.service}: warning: {weak_secret_advice(settings.weak_secret)}\n")
    return settings
