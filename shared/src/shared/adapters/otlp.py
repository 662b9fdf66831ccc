"""The OpenTelemetry SDK with an OTLP/HTTP exporter, loaded only when a collector is configured (it costs 20
MB).
"""

from opentelemetry.trace import Tracer


class Tracing:
    """Makes spans of this process and exports them in batches."""

    def __init__(self, *, endpoint: str, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.namespace": "atrium"})
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
        )
        self.tracer: Tracer = self._provider.get_tracer("atrium")

    def shutdown(self) -> None:
        """Export what is left and stop."""
        self._provider.shutdown()
