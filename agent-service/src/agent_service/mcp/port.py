"""What a connection to an MCP server is, without its SDK."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

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


@dataclass(frozen=True, slots=True)
class Server:
    """One configured server. `organisation_ids` None: all; `tools` None: all it lists. `revision` changes with any of it."""

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
    """A tool as its server describes it; nothing of it is trusted."""

    name: str
    title: str
    description: str
    schema: object
    repeatable: bool


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
