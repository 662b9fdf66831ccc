"""What an operator can set about the gateway."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode
from shared.adapters.redis import redis_only
from shared.settings import ServiceSettings, find_clone_root

from gateway_service.connections.limits import IP_LITERALS, Network

SCHEMA_VERSION = 5
"""The migration this code needs at least."""

SemicolonList = Annotated[tuple[str, ...], NoDecode]
NetworkList = Annotated[tuple[Network, ...], NoDecode]


def _web_build_dir() -> Path:
    return (find_clone_root() or Path.cwd()) / "web" / "build"


class GatewaySettings(ServiceSettings):
    """Settings of the gateway beside those every service has. Lists are separated by semicolons."""

    service: ClassVar[str] = "gateway"

    user_signing_key: SecretStr = Field(
        description="PEM of the Ed25519 private key that signs user tokens (kid user-1)"
    )
    access_token_ttl_s: int = Field(default=300, ge=30, le=3600, description="seconds a user token is valid")
    refresh_token_ttl_s: int = Field(
        default=30 * 86_400, ge=300, le=365 * 86_400, description="seconds a session lives without being used"
    )
    session_ttl_max_s: int = Field(
        default=90 * 86_400, ge=300, le=365 * 86_400, description="seconds a session lives at most"
    )
    refresh_grace_s: int = Field(
        default=10, ge=0, le=60, description="seconds the previous refresh token still answers"
    )

    refresh_retry_s: int = Field(
        default=3600,
        ge=0,
        le=86_400,
        description=(
            "seconds in which a refresh whose answer was lost may be tried again, while nobody used the "
            "new token"
        ),
    )

    session_keep_days: int = Field(
        default=7, ge=1, le=3650, description="days a session is kept that has ended"
    )
    api_key_keep_days: int = Field(
        default=90, ge=2, le=3650, description="days an API key is kept that was revoked or has expired"
    )
    audit_keep_days: int = Field(
        default=730, ge=90, description="days an administrative act stays in the record"
    )
    outbox_keep_days: int = Field(
        default=7, ge=2, le=400, description="days an event is kept that was delivered"
    )

    enable_signup: bool = Field(
        default=True, description="whether people can make their own account; the first one always can"
    )
    signup_default_role: Literal["user", "pending"] | None = Field(
        default=None,
        description="role of everyone after the first, `user` or `pending` (an administrator admits them). "
        "Default: pending when other machines can reach the gateway or PAID_PROVIDERS is set, else user",
    )
    paid_providers: bool = Field(
        default=False,
        description="models are bought here; `make run` sets it when it finds a provider's API key",
    )
    setup_token: SecretStr | None = Field(
        default=None, description="one-time secret of the first sign-up, part of the set-up link"
    )
    setup_token_required: bool = Field(
        default=False, description="ask for SETUP_TOKEN even when bound to loopback"
    )

    password_hash_time_cost: int = Field(default=2, ge=1, le=20, description="argon2id passes")
    password_hash_memory_kib: int = Field(
        default=65_536, ge=8, le=1_048_576, description="argon2id memory in KiB"
    )
    password_hash_parallel_max: int = Field(
        default=2, ge=1, le=32, description="passwords hashed at the same time"
    )

    signin_limit: str = Field(
        default="20/minute",
        description="wrong passwords per client address; also calls that swap a key for a token",
    )
    signin_account_limit: str = Field(
        default="10/minute", description="wrong passwords for one account from one address or known browser"
    )
    signup_limit: str = Field(default="10/minute", description="sign-up calls per client address")
    refresh_limit: str = Field(
        default="60/minute", description="refresh and sign-out calls per client address"
    )
    user_rpm: int = Field(default=600, ge=1, le=1_000_000, description="requests a minute of one user")
    key_rpm: int = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="requests a minute of one API key unless its own limit is lower",
    )
    organisation_rpm: int = Field(
        default=60_000, ge=1, le=10_000_000, description="requests a minute of one organisation"
    )

    cors_allow_origins: SemicolonList = Field(
        default=(), description="origins whose pages may call the API with a token"
    )
    trusted_hosts: SemicolonList = Field(
        default=(),
        description=(
            "Host names answered; `*` for any. Default: localhost, any IP address, HOST, and the name in "
            "WEBUI_URL"
        ),
    )
    trusted_proxies: NetworkList = Field(
        default=(),
        description=(
            "addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; nobody's by "
            "default"
        ),
    )
    request_head_timeout_s: float = Field(
        default=10, gt=0, le=300, description="seconds a client has to send the head of a request"
    )
    anonymous_body_timeout_s: float = Field(
        default=20,
        gt=0,
        le=600,
        description="seconds for the body of a request that has shown no good credential",
    )
    connections_per_address_max: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="open connections of one address; this machine and TRUSTED_PROXIES are not bounded",
    )
    request_body_max_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024, description="largest body passed on to a service"
    )
    own_body_max_bytes: int = Field(
        default=256 * 1024, ge=1024, description="largest body of the gateway's own routes"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="port of /metrics, which PORT does not answer; 0: none"
    )
    web_build_dir: Path = Field(default_factory=_web_build_dir, description="folder of the built web client")
    gateway_processes: int = Field(
        default=1,
        ge=1,
        le=64,
        validation_alias=AliasChoices("GATEWAY_PROCESSES", "WEB_CONCURRENCY", "gateway_processes"),
        description="gateway processes that `make run` starts; more than one needs REDIS_URL",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis or Valkey, in which several gateway processes count limits together: "
        "`redis://user:password@host:6379/0`, by TLS `rediss://`. One number, one installation. While it "
        "does not answer, each admits its share",
    )
    redis_timeout_s: float = Field(
        default=0.05,
        gt=0,
        le=5,
        description="seconds Redis has for an answer; after them this process counts by itself",
    )

    @field_validator("cors_allow_origins", "trusted_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(";") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_allow_origins")
    @classmethod
    def _origins_only(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is not an origin; write scheme://host[:port] without a path")
        return origins

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(redis_only(value.get_secret_value()))

    @model_validator(mode="after")
    def _several_processes_count_together(self) -> Self:
        if self.gateway_processes > 1 and self.redis_url is None:
            raise ValueError(
                "GATEWAY_PROCESSES: several gateway processes would each count requests for themselves, and "
                "limits would not hold; set it to 1, or set REDIS_URL to a Redis in which they count together"
            )
        return self

    @property
    def bound_to_loopback(self) -> bool:
        """Whether only this machine can reach the port."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def signup_role(self) -> Literal["user", "pending"]:
        """Role of everyone after the first: nobody spends other people's money because an address was
        guessed.
        """
        if self.signup_default_role is not None:
            return self.signup_default_role
        return "user" if self.bound_to_loopback and not self.paid_providers else "pending"

    @property
    def asks_for_setup_token(self) -> bool:
        """Whether the first sign-up must prove that it is the operator's."""
        return self.setup_token_required or not self.bound_to_loopback

    @property
    def https(self) -> bool:
        """Whether people reach the gateway by https, by its public address."""
        return self.public_url.startswith("https://")

    @property
    def public_origin(self) -> str:
        """scheme://host[:port] of the public address."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def hosts(self) -> frozenset[str]:
        """Host names (lower case, no port) that are answered, see proxy.client.check_host.

        Names are checked on every address: a page of another site can make its name point here (DNS
        rebinding). An IP address in place of a name cannot be such a page's, so those pass.
        """
        if self.trusted_hosts:
            return frozenset(host.lower() for host in self.trusted_hosts)
        public = urlsplit(self.public_url).hostname or "localhost"
        return frozenset({IP_LITERALS, "localhost", self.host.lower(), public.lower()})
