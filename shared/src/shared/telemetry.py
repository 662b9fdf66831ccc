"""W3C trace context through every hop; spans by the OpenTelemetry SDK when a collector is configured."""

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar

from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared.adapters.otlp import Tracing

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

traceparent_var: ContextVar[bytes | None] = ContextVar("traceparent", default=None)

AttributeValue = str | int | float | bool


class RequestTrace:
    """One unit of traced work. `traceparent` is what the next hop gets."""

    __slots__ = ("_span", "_telemetry", "traceparent")

    def __init__(self, telemetry: "Telemetry", traceparent: bytes, span: Span | None) -> None:
        self._telemetry = telemetry
        self._span = span
        self.traceparent = traceparent

    def child(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> "RequestTrace":
        """A client span under this one; end it."""
        return self._telemetry.start(name, self.traceparent, kind=SpanKind.CLIENT, attributes=attributes)

    def annotate(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._span is not None:
            self._span.set_attributes(dict(attributes))

    def end(self, *, failed: bool = False) -> None:
        if self._span is not None:
            if failed:
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end()


class Telemetry:
    """Starts traces. Without an endpoint it only carries the context on, at no cost worth measuring."""

    def __init__(self, *, service: str, endpoint: str | None) -> None:
        self._tracing = Tracing(endpoint=endpoint, service=service) if endpoint else None

    def start(
        self,
        name: str,
        parent: bytes | None,
        *,
        kind: SpanKind = SpanKind.SERVER,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> RequestTrace:
        """A trace continuing `parent` (a traceparent header) when that is well-formed, else a new one."""
        match = _TRACEPARENT.fullmatch(parent) if parent else None
        if self._tracing is None:
            return RequestTrace(self, parent if match and parent else _new_traceparent(), None)
        context = None
        if match:
            remote = SpanContext(
                int(match[1], 16),
                int(match[2], 16),
                is_remote=True,
                trace_flags=TraceFlags(int(match[3], 16)),
            )
            context = set_span_in_context(NonRecordingSpan(remote))
        span = self._tracing.tracer.start_span(
            name, context=context, kind=kind, attributes=dict(attributes or {})
        )
        own = span.get_span_context()
        return RequestTrace(
            self, f"00-{own.trace_id:032x}-{own.span_id:016x}-{int(own.trace_flags):02x}".encode(), span
        )

    def shutdown(self) -> None:
        if self._tracing is not None:
            self._tracing.shutdown()


def _new_traceparent() -> bytes:
    # Ids of traces must differ and need not be secret; the system's random bytes cost a call into the kernel.
    return b"00-%032x-%016x-00" % (random.getrandbits(128), random.getrandbits(64))
