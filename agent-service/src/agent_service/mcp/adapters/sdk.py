"""Sessions through the official SDK of the Model Context Protocol."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import mcp_types as types
from mcp.client import Client, ClientSession, Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from agent_service.mcp.adapters import http
from agent_service.mcp.adapters.results import shorten, to_result
from agent_service.mcp.adapters.stdio import Program
from agent_service.mcp.port import (
    ConnectionLost,
    Limits,
    RemoteTool,
    Server,
    ServerError,
    Session,
    Stdio,
    StreamableHttp,
)
from agent_service.tools.port import ToolResult

_PAGES_MAX = 20
_SERVER_WORDS_CHARS_MAX = 500
_CLIENT = types.Implementation(name="atrium", version="1")
_SESSION_GONE = "Session terminated"
_SAID_BY_THE_SDK = frozenset(
    {types.CONNECTION_CLOSED, types.PARSE_ERROR, types.INVALID_REQUEST, types.REQUEST_TIMEOUT}
)

# Their lines quote what servers send, which may be anybody's data; what matters is in the errors below.
for _name in ("mcp", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@asynccontextmanager
async def open_session(server: Server, limits: Limits) -> AsyncGenerator[Session]:
    """A session with `server`, shaken hands. Raises: ServerError, also when it breaks down later."""
    route = (
        _Program(server.name, server.target, limits)
        if isinstance(server.target, Stdio)
        else _Address(server, server.target, limits)
    )
    try:
        async with route.client() as transport, Client(transport, client_info=_CLIENT, cache=None) as client:
            yield _SdkSession(client.session, route, limits)
    # An edge: whatever breaks in there ends as one sentence.
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001
        if isinstance(error, BaseExceptionGroup) and error.subgroup(asyncio.CancelledError) is not None:
            raise asyncio.CancelledError from None
        raise ServerError(route.explain(error)) from None


class _Route:
    """How the messages travel, and what went wrong on the way."""

    closed: asyncio.Event

    def client(self) -> Any:
        """A context whose value is the SDK's transport."""
        raise NotImplementedError

    def explain(self, error: BaseException) -> str:
        """One sentence about `error` that quotes no library."""
        leaves = list(_leaves(error))
        for leaf in leaves:
            if isinstance(leaf, ServerError | http.ExchangeRefused):
                return str(leaf)
        for leaf in leaves:
            if isinstance(leaf, MCPError):
                return _explain_mcp(leaf)
            if isinstance(leaf, TimeoutError):
                return "it did not answer in time"
            if isinstance(leaf, ValidationError):
                return "what it answered does not follow the protocol"
        return "the connection broke down"


class _Program(_Route):
    """A program of the operator."""

    def __init__(self, name: str, target: Stdio, limits: Limits) -> None:
        self._program = Program(target, name=name, line_bytes_max=limits.answer_bytes_max)
        self.closed = self._program.gone

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Transport]:
        yield self._program.transport()

    def explain(self, error: BaseException) -> str:
        started = not any(isinstance(leaf, ServerError) for leaf in _leaves(error))
        return self._program.why() if started and self.closed.is_set() else super().explain(error)


class _Address(_Route):
    """A server somewhere else."""

    def __init__(self, server: Server, target: StreamableHttp, limits: Limits) -> None:
        self._server = server
        self._target = target
        self._limits = limits
        self._guarded: http.GuardedTransport | None = None
        self.closed = asyncio.Event()

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Transport]:
        self._guarded = http.GuardedTransport(self._target, answer_bytes_max=self._limits.answer_bytes_max)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                http.client(
                    self._guarded,
                    self._target,
                    connect_timeout_s=self._server.connect_timeout_s,
                    read_timeout_s=self._server.call_timeout_s,
                )
            )
            yield streamable_http_client(
                self._target.url, http_client=client, max_sse_event_size=self._limits.answer_bytes_max
            )

    def explain(self, error: BaseException) -> str:
        if self._guarded and self._guarded.refused:
            return self._guarded.refused
        status = self._guarded.failed_status if self._guarded else None
        text = super().explain(error)
        if status is not None and text in {_REFUSED, "the connection broke down"}:
            return (
                f"it answered with HTTP status {status}; "
                f"{_ABOUT_STATUS.get(status, 'see the log of that server')}"
            )
        if any(
            isinstance(leaf, http.NETWORK_ERRORS) and not isinstance(leaf, http.ExchangeRefused)
            for leaf in _leaves(error)
        ):
            return "it cannot be reached, or broke off the exchange"
        return text


_REFUSED = "it refused the request"
_ABOUT_STATUS: Mapping[int, str] = {
    401: "check the token or header it wants",
    403: "check the token or header it wants",
    404: "check the path of the URL",
    405: "check the path of the URL",
}


def _explain_mcp(error: MCPError) -> str:
    match error.code:
        case types.CONNECTION_CLOSED:
            return "the connection broke down"
        case types.PARSE_ERROR:
            return "what it answered does not follow the protocol"
        case types.REQUEST_TIMEOUT:
            return "it did not answer in time"
        case types.INVALID_REQUEST | types.INTERNAL_ERROR | types.METHOD_NOT_FOUND:
            return _REFUSED
        case _:
            return f"it refused the request: {shorten(error.message, _SERVER_WORDS_CHARS_MAX)}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("tuple[BaseException, ...]", error.exceptions):
            yield from _leaves(inner)
    else:
        yield error


class _SdkSession:
    """One open session."""

    def __init__(self, session: ClientSession, route: _Route, limits: Limits) -> None:
        self._session = session
        self._route = route
        self._limits = limits
        self.closed = route.closed

    def why(self) -> str:
        """What ended the connection."""
        return self._route.explain(ConnectionError())

    async def list_tools(self) -> list[RemoteTool]:
        """Page by page until there are enough. Raises: ServerError."""
        tools: list[RemoteTool] = []
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            try:
                page = await self._session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            except (MCPError, ValidationError) as error:
                raise ServerError(self._route.explain(error)) from None
            tools += map(_remote, page.tools)
            cursor = page.next_cursor
            if cursor is None or len(tools) >= self._limits.tools_max:
                break
        return tools[: self._limits.tools_max]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Raises: ConnectionLost, ServerError."""
        request = types.CallToolRequest(
            params=types.CallToolRequestParams(name=name, arguments=dict(arguments))
        )
        try:
            # Not call_tool(): it checks the answer with the server's own output schema, whose patterns may
            # run for ever.
            answer = await self._session.send_request(request, types.CallToolResult)
        except MCPError as error:
            return self._answered_with(error)
        except ValidationError:
            raise ServerError("what it answered does not follow the protocol") from None
        return to_result(name, answer, self._limits)

    def _answered_with(self, error: MCPError) -> ToolResult:
        """The server's own refusal is a result for the model; what the SDK says about the
        connection is not.
        """
        if error.code == types.INVALID_REQUEST and error.message == _SESSION_GONE:
            raise ConnectionLost("it has forgotten the session", sent=False)
        if error.code == types.CONNECTION_CLOSED:
            raise ConnectionLost(self._route.explain(error), sent=True)
        if error.code in _SAID_BY_THE_SDK or (
            error.code == types.INTERNAL_ERROR and error.message == "Server returned an error response"
        ):
            raise ServerError(self._route.explain(error))
        return ToolResult(f"The tool refused: {shorten(error.message, _SERVER_WORDS_CHARS_MAX)}", failed=True)


def _remote(tool: types.Tool) -> RemoteTool:
    hints = tool.annotations
    return RemoteTool(
        name=tool.name,
        title=tool.title or (hints.title if hints else None) or "",
        description=tool.description or "",
        schema=tool.input_schema,
        repeatable=bool(hints and (hints.read_only_hint or hints.idempotent_hint)),
        read_only=bool(hints and hints.read_only_hint),
        destructive=bool(hints and hints.destructive_hint),
    )
