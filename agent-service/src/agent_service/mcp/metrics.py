"""Prometheus metrics of calls to MCP servers."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.clock import monotonic_s
from shared.metrics import Metrics


@dataclass(slots=True)
class CallOutcome:
    """How a call went."""

    failed: bool = True


class McpMetrics:
    """Calls, failures and seconds by server."""

    def __init__(self, metrics: Metrics) -> None:
        self._calls = metrics.counter("mcp_calls", "Calls of tools of MCP servers", ("server", "outcome"))
        self._seconds = metrics.histogram(
            "mcp_call_seconds", "Time to the answer of a tool of an MCP server", ("server",)
        )

    @contextmanager
    def timing(self, server_name: str) -> Generator[CallOutcome]:
        """Counts the call made inside; an exception counts as a failure."""
        outcome = CallOutcome()
        began = monotonic_s()
        try:
            yield outcome
        finally:
            self._calls.labels(server_name, "failed" if outcome.failed else "ok").inc()
            self._seconds.labels(server_name).observe(monotonic_s() - began)
