"""A tool of an MCP server, as the loop of a run calls it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_service.mcp.catalogue import CatalogueEntry
from agent_service.mcp.connection import Connection
from agent_service.mcp.metrics import McpMetrics
from agent_service.tools.port import ToolContext, ToolResult

_WAIT_BEYOND_S = 5.0


@dataclass(frozen=True, slots=True)
class McpTool:
    """`entry` of the server behind `connection`."""

    entry: CatalogueEntry
    connection: Connection
    metrics: McpMetrics

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def title(self) -> str:
        return self.entry.title

    @property
    def description(self) -> str:
        return self.entry.description

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.entry.parameters

    @property
    def source(self) -> str:
        return self.connection.server.name

    @property
    def timeout_s(self) -> float:
        # The connection's own time-out comes first, and with it a sentence for the model.
        return self.connection.server.call_timeout_s + _WAIT_BEYOND_S

    @property
    def repeatable(self) -> bool:
        return self.entry.repeatable

    @property
    def needs_approval(self) -> bool:
        return self.entry.needs_approval

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """What the server answered, within the limits."""
        with self.metrics.timing(self.source) as outcome:
            result = await self.connection.call(self.entry, arguments)
            outcome.failed = result.failed
            return result
