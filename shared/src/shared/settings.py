"""Settings every service has, and the one place the process environment is read."""

import os
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound="ServiceSettings")


def find_clone_root(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` (default: the working directory) that holds the workspace, or None outside a clone."""
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


class ServiceSettings(BaseSettings):
    """What all services read. Variable names are the field names in upper case."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, case_sensitive=False, env_ignore_empty=True)

    service: ClassVar[str] = "service"

    env: Literal["dev", "prod"] = Field(default="dev", description="`prod` turns on the strict mode")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level that is logged")
    host: str = Field(default="127.0.0.1", description="address the service binds")
    port: int = Field(default=8000, ge=0, le=65535, description="port the service binds")
    atrium_home: Path = Field(default_factory=default_home, description="folder of data, keys and logs of a local installation")
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        validation_alias=AliasChoices("PUBLIC_URL", "WEBUI_URL", "public_url"),
        description="address people open in the browser; links in messages start with it",
    )
    webui_name: str = Field(default="Atrium", max_length=80, description="name shown in the web client")

    database_url: SecretStr = Field(description="postgresql:// address with the service's own role")
    database_pool_max: int = Field(default=5, ge=1, le=100, description="connections one process keeps at most")
    jwt_secret_key: SecretStr | None = Field(default=None, description="set: user tokens are HS256 with this key instead of EdDSA")
    service_signing_key: SecretStr = Field(description="PEM of this service's Ed25519 private key")
    token_jwks: str = Field(description="JSON Web Key Set with the public keys of the gateway and of every service")
    redis_url: SecretStr | None = Field(default=None, description="needed as soon as there are several gateway processes")

    gateway_url: str = Field(default="http://127.0.0.1:8000", description="where the gateway answers")
    inference_service_url: str = Field(default="http://127.0.0.1:8001", description="where the inference-service answers")
    agent_service_url: str = Field(default="http://127.0.0.1:8002", description="where the agent-service answers")
    retrieval_service_url: str = Field(default="http://127.0.0.1:8003", description="where the retrieval-service answers")
    chat_service_url: str = Field(default="http://127.0.0.1:8004", description="where the chat-service answers")
    billing_service_url: str = Field(default="http://127.0.0.1:8005", description="where the billing-service answers")

    otel_exporter_otlp_endpoint: str | None = Field(default=None, description="OTLP/HTTP collector; unset: no spans leave or are made")
    direct_calls_per_minute: int = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="calls a user or key may make straight to one process of this service, past the gateway",
    )
    drain_timeout_s: float = Field(default=20, ge=0, le=600, description="seconds that running work gets at shutdown")


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
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors(include_input=False))
        hint = "" if env_file.is_file() else f" (no {env_file}; `make deps` starts the engines and writes it)"
        raise SettingsError(f"{cls.service} cannot start: {problems}{hint}") from None


def load_settings_or_exit(cls: type[S]) -> S:
    """As load_settings, but a broken configuration ends the process with one line and status 2."""
    try:
        return load_settings(cls)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
