"""What a connection to an MCP server is, without its SDK."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from shared.auth.permissions import ROLE_PERMISSIONS, Permission
from shared.auth.principal import Principal

from agent_service.tools.port import ToolResult


@dataclass(frozen=True, slots=True)
class Stdio:
    """A program on this machine that speaks over its standard input and output."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class StreamableHttp:
    """An address that speaks MCP over HTTP. `private_allowed`: it may be an address of the own network."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    private_allowed: bool = False


Approval = Literal["never", "unless_read_only", "always"]
"""Which calls the person of a run must agree to, whatever the agent says; one that destroys by its own word
always.
"""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a server beside administrators."""

    roles: frozenset[str] = frozenset()
    team_ids: frozenset[UUID] = frozenset()
    user_ids: frozenset[UUID] = frozenset()

    def allows(self, principal: Principal) -> bool:
        if Permission.TOOLS_MANAGE in ROLE_PERMISSIONS[principal.role] or principal.role in self.roles:
            return True
        return principal.user_id in self.user_ids or not self.team_ids.isdisjoint(
            (principal.team_id, *principal.team_ids)
        )


@dataclass(frozen=True, slots=True)
class Server:
    """One configured server. `organisation_ids` None: all; `tools` None: all it lists. `revision` changes
    with any of it.
    """

    id: UUID
    name: str
    source: Literal["file", "api"]
    target: Stdio | StreamableHttp
    revision: str
    organisation_ids: frozenset[UUID] | None = None
    tools: frozenset[str] | None = None
    connect_timeout_s: float = 15
    call_timeout_s: float = 60
    enabled: bool = True
    access: Access = Access()
    approval: Approval = "unless_read_only"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every connection."""

    answer_bytes_max: int
    result_chars_max: int
    files_max: int
    file_bytes_max: int
    tools_max: int
    calls_max: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as its server describes it; nothing of it is trusted. `read_only` and `destructive`: it says so
    itself.
    """

    name: str
    title: str
    description: str
    schema: object
    repeatable: bool
    read_only: bool = False
    destructive: bool = False


class ServerError(Exception):
    """The server cannot be used; the text is one plain sentence without its full stop, for people."""


class ConnectionLost(ServerError):
    """The connection broke. `sent` False: the server cannot have begun the call."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class Session(Protocol):
    """An open connection. `closed` is set when the other side is gone."""

    closed: asyncio.Event

    def why(self) -> str:
        """After `closed`: what happened, as one sentence."""
        ...

    async def list_tools(self) -> list[RemoteTool]:
        """At most Limits.tools_max of them. Raises: ServerError."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """What the tool answered, within the limits. Raises: ServerError."""
        ...


class Opener(Protocol):
    """Opens sessions; the context belongs to one task from entry to exit."""

    async def prepare(self) -> None:
        """What is needed once in a process, however long it takes; counts towards no time-out of a server."""
        ...

    def __call__(self, server: Server, limits: Limits) -> AbstractAsyncContextManager[Session]:
        """Entering raises ServerError when the server does not answer as one."""
        ...
