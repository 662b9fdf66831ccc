"""Bodies and answers of the routes of MCP servers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from shared.auth.permissions import Role
from shared.contracts.agents import Tool

from agent_service.mcp.addresses import URL_CHARS_MAX
from agent_service.mcp.catalogue import SERVER_NAME_PATTERN
from agent_service.mcp.headers import HEADERS_MAX
from agent_service.mcp.port import Approval

_Name = Annotated[
    str,
    Field(
        pattern=SERVER_NAME_PATTERN,
        max_length=32,
        description="a-z, 0-9, - and _; its tools are called <name>__<tool>",
    ),
]
_Url = Annotated[
    str,
    Field(
        min_length=1, max_length=URL_CHARS_MAX, description="address of the server's streamable HTTP endpoint"
    ),
]
_Headers = Annotated[
    dict[str, SecretStr],
    Field(
        max_length=HEADERS_MAX,
        description="sent with each request, such as Authorization; stored encrypted, never shown again",
    ),
]
_Tools = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=128)]],
    Field(max_length=128, description="only these of its tools; null: all"),
]
_ConnectTimeout = Annotated[
    float, Field(gt=0, le=120, description="seconds until it must have answered the greeting")
]
_CallTimeout = Annotated[float, Field(gt=0, le=3_600, description="seconds one call may take")]


_Approval = Annotated[
    Approval,
    Field(
        description="which calls the person of a run must agree to, whatever the agent says:"
        " `unless_read_only` all but those of tools that call themselves read-only; a tool that calls itself"
        " destructive asks always"
    ),
]


class McpAccess(BaseModel):
    """Who may use the server's tools beside administrators, who always may. Empty: nobody else."""

    model_config = ConfigDict(extra="forbid")

    roles: list[Role] = Field(
        default_factory=list[Role], max_length=16, description="everybody with one of these roles"
    )
    team_ids: list[UUID] = Field(
        default_factory=list[UUID], max_length=200, description="every member of one of these teams"
    )
    user_ids: list[UUID] = Field(default_factory=list[UUID], max_length=1_000, description="these people")


class McpServerCreate(BaseModel):
    """Body of POST /api/v1/agents/mcp-servers."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    url: _Url
    headers: _Headers = Field(default_factory=dict[str, SecretStr])
    tools: _Tools | None = None
    connect_timeout_s: _ConnectTimeout = 15
    call_timeout_s: _CallTimeout = 60
    enabled: bool = True
    access: McpAccess = Field(default_factory=McpAccess)
    approval: _Approval = "unless_read_only"


class McpServerPatch(BaseModel):
    """Body of PATCH: what is given changes. `headers` replaces all of them."""

    model_config = ConfigDict(extra="forbid")

    url: _Url | None = None
    headers: _Headers | None = None
    tools: _Tools | None = None
    connect_timeout_s: _ConnectTimeout | None = None
    call_timeout_s: _CallTimeout | None = None
    enabled: bool | None = None
    access: McpAccess | None = Field(default=None, description="replaces who may use it as a whole")
    approval: _Approval | None = None


class McpServerStatus(BaseModel):
    """How the server is doing, as far as this process knows."""

    state: Literal["ok", "failing", "unchecked", "disabled"]
    connected: bool
    checked_at: datetime | None
    latency_ms: float | None = Field(
        description="of the last check: connecting where needed, and listing the tools"
    )
    tool_count: int | None
    error: str | None = Field(description="what went wrong last, in plain words")
    calls: int
    failures: int


class McpServer(BaseModel):
    """One server. Values of headers are never shown."""

    id: UUID
    name: str
    source: Literal["file", "api"]
    transport: Literal["stdio", "streamable_http"]
    url: str | None
    command: str | None
    header_names: list[str]
    tools: list[str] | None
    connect_timeout_s: float
    call_timeout_s: float
    enabled: bool
    access: McpAccess
    approval: _Approval
    status: McpServerStatus
    created_at: datetime | None
    updated_at: datetime | None


class McpCheck(BaseModel):
    """What POST /api/v1/agents/mcp-servers/{id}/check found, just now."""

    ok: bool
    latency_ms: float | None
    error: str | None
    tools: list[Tool]
