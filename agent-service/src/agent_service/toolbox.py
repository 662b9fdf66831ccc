"""Wiring of the tools: the built-in ones and the MCP servers, from the settings."""

from contextlib import AsyncExitStack

from shared.auth.permissions import Permission
from shared.background import Periodic
from starlette.datastructures import State

from agent_service.code.tool import PythonTool
from agent_service.mcp.adapters.lazy import LazySdk
from agent_service.mcp.file import load
from agent_service.mcp.metrics import McpMetrics
from agent_service.mcp.port import Limits
from agent_service.mcp.sealing import Seal
from agent_service.mcp.servers import McpServers
from agent_service.mcp.service import McpService
from agent_service.settings import AgentSettings
from agent_service.tools.calculator import Calculator
from agent_service.tools.clock import DateTime
from agent_service.tools.documents import SearchDocuments
from agent_service.tools.service import BuiltIn, ToolRegistry

_LOOKS_PER_CHECK = 10
_LOOK_MAX_S = 30.0
_TOOLS_PER_SERVER_MAX = 128
_FILES_PER_CALL_MAX = 8


def build_tools(
    state: State, settings: AgentSettings, stack: AsyncExitStack
) -> tuple[ToolRegistry, Periodic]:
    """All tools, and the job that looks after the MCP servers. `state` has database, retrieval, code and
    metrics.

    Raises: McpFileError when MCP_SERVERS_FILE cannot be used.
    """
    # An operator decides about the own network; where nobody did, a machine for development is open to
    # itself.
    allowed = settings.mcp_allow_private_addresses
    private_allowed = settings.env == "dev" if allowed is None else allowed
    seal = Seal((settings.mcp_secrets_key or settings.service_signing_key).get_secret_value())
    servers = McpServers(
        state.database,
        LazySdk(),
        from_file=load(settings.mcp_servers_file) if settings.mcp_servers_file else (),
        seal=seal,
        limits=_limits(settings),
        metrics=McpMetrics(state.metrics),
        private_allowed=private_allowed,
        check_interval_s=settings.mcp_check_interval_s,
    )
    stack.push_async_callback(servers.close)
    state.mcp = McpService(
        servers, seal, private_allowed=private_allowed, servers_max=settings.mcp_servers_per_organisation_max
    )
    look_s = min(settings.mcp_check_interval_s / _LOOKS_PER_CHECK, _LOOK_MAX_S)
    return ToolRegistry(_built_in(state, settings), [servers]), Periodic(
        "MCP servers", look_s, servers.check_due
    )


def _built_in(state: State, settings: AgentSettings) -> list[BuiltIn]:
    search = SearchDocuments(
        state.retrieval, result_chars_max=settings.search_result_chars_max, rerank=settings.search_rerank
    )
    python = PythonTool(state.code, state.retrieval, timeout_s=settings.code_timeout_s)
    return [
        BuiltIn(Calculator()),
        BuiltIn(DateTime()),
        BuiltIn(search, Permission.FILES_READ),
        BuiltIn(python, Permission.CODE_EXECUTE, python.unavailable_reason),
    ]


def _limits(settings: AgentSettings) -> Limits:
    return Limits(
        answer_bytes_max=settings.mcp_answer_max_bytes,
        result_chars_max=settings.tool_result_chars_max,
        files_max=_FILES_PER_CALL_MAX,
        file_bytes_max=settings.run_file_max_bytes,
        tools_max=_TOOLS_PER_SERVER_MAX,
        calls_max=settings.mcp_calls_max,
        idle_s=settings.mcp_idle_s,
    )
