"""The operator's file of MCP servers: the only place a program to start can come from."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID, uuid5

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from shared.auth.permissions import Role
from shared.settings import environment

from agent_service.mcp.addresses import AddressRefused, check_url
from agent_service.mcp.catalogue import SERVER_NAME_PATTERN
from agent_service.mcp.headers import HeaderRefused, check_headers
from agent_service.mcp.port import Access, Approval, Server, Stdio, StreamableHttp

SERVERS_MAX = 64
_FILE_BYTES_MAX = 1_000_000
_NAMESPACE = UUID("a0000000-0000-4000-8000-00000000c001")

# Where the certificates of a company's own authority are, in the words of OpenSSL, requests, curl and node.
# No secret.
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")

_Argument = Annotated[str, Field(max_length=4_096, pattern="^[^\\x00]*$")]
_Variable = Annotated[str, Field(max_length=128, pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


class McpFileError(Exception):
    """The file cannot be used; the text is one clear line."""


class _Access(BaseModel):
    """Who may use the server beside administrators."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    roles: list[Role] = Field(default_factory=list[Role], max_length=16)
    team_ids: list[UUID] = Field(default_factory=list[UUID], max_length=200)
    user_ids: list[UUID] = Field(default_factory=list[UUID], max_length=1_000)


class _Entry(BaseModel):
    """One server of the file: `command` starts a program, `url` connects to one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=SERVER_NAME_PATTERN, max_length=32)]
    command: Annotated[str, Field(min_length=1, max_length=4_096, pattern="^[^\\x00]+$")] | None = None
    args: list[_Argument] = Field(default_factory=list[str], max_length=100)
    env: dict[_Variable, SecretStr] = Field(default_factory=dict[str, SecretStr], max_length=100)
    env_from: list[_Variable] = Field(default_factory=list[str], max_length=100)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    organisations: list[UUID] | None = None
    tools: list[str] | None = None
    connect_timeout_s: float = Field(default=15, gt=0, le=120)
    call_timeout_s: float = Field(default=60, gt=0, le=3_600)
    access: _Access = Field(default_factory=_Access)
    approval: Approval = "unless_read_only"

    @model_validator(mode="after")
    def _one_way_to_connect(self) -> "_Entry":
        if (self.command is None) == (self.url is None):
            raise ValueError("give either command or url")
        if self.url is not None and (self.args or self.env or self.env_from or self.cwd):
            raise ValueError("args, env, env_from and cwd belong to a command")
        if self.command is not None and self.headers:
            raise ValueError("headers belong to a url")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    servers: list[_Entry] = Field(max_length=SERVERS_MAX)


def load(path: Path) -> tuple[Server, ...]:
    """The servers of the file. Raises: McpFileError, naming the place and never a value."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise McpFileError(f"MCP_SERVERS_FILE {path} cannot be read: {error.strerror}") from None
    if len(raw) > _FILE_BYTES_MAX:
        raise McpFileError(f"MCP_SERVERS_FILE {path} is larger than {_FILE_BYTES_MAX} bytes")
    try:
        entries = _File.model_validate(yaml.safe_load(raw) or {"servers": []}).servers
    except yaml.YAMLError:
        raise McpFileError(f"MCP_SERVERS_FILE {path} is not YAML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise McpFileError(f"MCP_SERVERS_FILE {path}: {place}: {first['msg']}") from None
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise McpFileError(f"MCP_SERVERS_FILE {path}: two servers have one name")
    return tuple(_server(entry, path) for entry in entries)


def _server(entry: _Entry, path: Path) -> Server:
    try:
        target = _program(entry) if entry.command is not None else _address(entry)
    except (AddressRefused, HeaderRefused) as error:
        raise McpFileError(f"MCP_SERVERS_FILE {path}: {entry.name}: {error}") from None
    return Server(
        id=uuid5(_NAMESPACE, entry.name),
        name=entry.name,
        source="file",
        target=target,
        revision=sha256(entry.model_dump_json().encode()).hexdigest(),
        organisation_ids=None if entry.organisations is None else frozenset(entry.organisations),
        tools=None if entry.tools is None else frozenset(entry.tools),
        connect_timeout_s=entry.connect_timeout_s,
        call_timeout_s=entry.call_timeout_s,
        access=Access(
            frozenset(entry.access.roles), frozenset(entry.access.team_ids), frozenset(entry.access.user_ids)
        ),
        approval=entry.approval,
    )


def _program(entry: _Entry) -> Stdio:
    """The program with a clean environment: PATH, whose certificates to trust, and what the file names.
    Nothing else reaches it.
    """
    own = environment()
    inherited = {name: own[name] for name in ("PATH", *_TRUST, *entry.env_from) if name in own}
    given = {name: value.get_secret_value() for name, value in entry.env.items()}
    return Stdio(
        command=cast("str", entry.command),
        args=tuple(entry.args),
        env={"LANG": "C.UTF-8", **inherited, **given},
        cwd=entry.cwd,
    )


def _address(entry: _Entry) -> StreamableHttp:
    headers = check_headers({name: value.get_secret_value() for name, value in entry.headers.items()})
    # Whoever writes this file may start programs here: addresses of the own network are theirs to name.
    return StreamableHttp(url=check_url(cast("str", entry.url)), headers=headers, private_allowed=True)
