"""What the supervisor reads from the environment; the services read theirs themselves."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from shared.settings import default_home, find_clone_root, postgresql_only, weak_secret_advice, weakness_of

from atrium_local.errors import LocalError
from atrium_local.services import GATEWAY, Service

DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"


def _locked_index(lock: Path) -> str:
    """The index that the first package of the lock came from. Raises: LocalError when the lock names none."""
    found = re.search(r'registry = "(https?://[^"]+)"', lock.read_text() if lock.is_file() else "")
    if found is None:
        raise LocalError(
            "No package index is known: set UV_DEFAULT_INDEX, or restore uv.lock, which names one."
        )
    return found[1]


def _default_cache() -> Path:
    return Path.home() / ".cache"


class LocalSettings(BaseSettings):
    """Settings of `make run`. Variable names are the field names in upper case."""

    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, case_sensitive=False, env_ignore_empty=True
    )

    env: Literal["dev", "prod"] = Field(default="dev", description="`prod` turns on the strict mode")
    atrium_home: Path = Field(
        default_factory=default_home, description="folder of data, keys and logs of a local installation"
    )
    host: str = Field(
        default="127.0.0.1", description="address the gateway binds; the other processes stay on loopback"
    )
    port: int = Field(
        default=8000,
        validation_alias=AliasChoices("GATEWAY_PORT", "PORT", "port"),
        ge=0,
        le=65535,
        description="port the gateway binds",
    )
    gateway_processes: int = Field(
        default=1,
        validation_alias=AliasChoices("GATEWAY_PROCESSES", "WEB_CONCURRENCY", "gateway_processes"),
        ge=1,
        le=64,
        description="processes of the gateway; more than one needs REDIS_URL",
    )
    public_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("PUBLIC_URL", "WEBUI_URL", "public_url"),
        description="address people open in the browser",
    )
    trusted_hosts: str = Field(
        default="", description="Host names the gateway answers, separated by semicolons; see there"
    )
    inference_service_port: int = Field(default=8001, description="port of the inference-service")
    agent_service_port: int = Field(default=8002, description="port of the agent-service")
    retrieval_service_port: int = Field(default=8003, description="port of the retrieval-service")
    chat_service_port: int = Field(default=8004, description="port of the chat-service")
    billing_service_port: int = Field(default=8005, description="port of the billing-service")
    postgres_fsync: bool = Field(
        default=True, description="off: tests start faster, and a power cut loses the data"
    )
    postgres_port: int = Field(default=8010, description="port of the embedded PostgreSQL")
    model_port: int = Field(default=8011, description="port of the built-in model server")

    pg_bin: Path | None = Field(
        default=None, description="bin folder of another PostgreSQL 18 than the one in the wheel"
    )
    database_admin_url: SecretStr | None = Field(
        default=None, description="administrator of a PostgreSQL elsewhere; roles and schemas are made there"
    )
    database_url: SecretStr | None = Field(
        default=None,
        description=(
            "with DATABASE_ADMIN_URL unset: a prepared database elsewhere, used by every service as it is"
        ),
    )

    jwt_secret_key: SecretStr | None = Field(
        default=None, description="set: user tokens are HS256 with this key instead of EdDSA"
    )

    local_model_url: str | None = Field(
        default=None, description="a llama.cpp server elsewhere instead of the built-in one"
    )
    atrium_model: str = Field(
        default=DEFAULT_MODEL, description="built-in chat model; `none` starts no model server"
    )
    model_path: Path | None = Field(
        default=None, description="a GGUF file of your own instead of the built-in chat model"
    )
    model_url: str | None = Field(default=None, description="where to fetch a GGUF file of your own")
    model_sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="what the file at MODEL_URL must hash to"
    )
    model_context_tokens: int = Field(
        default=8192, ge=512, description="context of the built-in model, shared by its parallel answers"
    )
    model_parallel: int = Field(
        default=2, ge=1, le=16, description="answers the built-in model writes at the same time"
    )
    model_threads: int = Field(
        default=0, ge=0, description="threads of the built-in model; 0: one less than there are cores"
    )
    embedding_model_path: Path | None = Field(
        default=None, description="folder with model.safetensors and tokenizer.json of your own"
    )
    hf_hub_offline: bool = Field(
        default=False, description="never ask the model hub; weights then come from the package index"
    )
    hf_endpoint: str = Field(default="https://huggingface.co", description="the model hub or a mirror of it")
    index_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "index_url"),
        description="package index that also carries the weights; unset: the one that uv.lock names",
    )
    xdg_cache_home: Path = Field(
        default_factory=_default_cache, description="weights are kept below it, in atrium/"
    )
    setup_token: SecretStr | None = Field(
        default=None, description="what the first sign-up must show; made when bound beyond loopback"
    )
    except_services: str = Field(
        default="",
        validation_alias=AliasChoices("EXCEPT", "except_services"),
        description="services not to start, separated by commas",
    )

    @field_validator("database_url", "database_admin_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(postgresql_only(value.get_secret_value()))

    @model_validator(mode="after")
    def _production_has_a_real_secret(self) -> Self:
        if self.weak_secret is not None and self.env == "prod":
            raise ValueError(f"{self.weak_secret} (ENV=prod takes no other)")
        return self

    @property
    def weak_secret(self) -> str | None:
        """A sentence about a JWT_SECRET_KEY that is no secret; None when it is unset or good."""
        weakness = (
            weakness_of(self.jwt_secret_key.get_secret_value()) if self.jwt_secret_key is not None else None
        )
        return None if weakness is None else weak_secret_advice(weakness)

    @cached_property
    def clone_root(self) -> Path:
        """The workspace this installation runs from.

        Raises: LocalError outside a clone.
        """
        root = find_clone_root() or find_clone_root(Path(__file__).parent)
        if root is None:
            raise LocalError(
                "Run this inside a clone of Atrium: there is no workspace at or above the working directory."
            )
        return root

    @property
    def weights_dir(self) -> Path:
        """Where weights are kept, named by their SHA-256."""
        return self.xdg_cache_home.expanduser() / "atrium"

    @property
    def model_id(self) -> str:
        """What the built-in chat model is called."""
        if self.model_path is not None:
            return self.model_path.stem.lower()
        if self.model_url is not None:
            return Path(self.model_url.partition("?")[0]).stem.lower()
        return self.atrium_model

    @property
    def runs_model(self) -> bool:
        """Whether a model server of ours is to run."""
        return self.local_model_url is None and (
            self.atrium_model != "none" or self.model_path is not None or self.model_url is not None
        )

    @property
    def runs_postgres(self) -> bool:
        """Whether a PostgreSQL of ours is to run."""
        return self.database_admin_url is None and self.database_url is None

    @property
    def index(self) -> str:
        """The package index without the optional name uv allows before it."""
        configured = self.index_url or _locked_index(self.clone_root / "uv.lock")
        name, separator, url = configured.partition("=")
        return url if separator and "/" not in name else configured

    def port_of(self, service: Service) -> int:
        """The port `service` is started on."""
        if service is GATEWAY:
            return self.port
        port: int = getattr(self, service.port_variable.lower())
        return port

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the services that EXCEPT leaves to somebody else."""
        return frozenset(name for name in self.except_services.replace(",", " ").split() if name)
