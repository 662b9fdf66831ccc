"""Trace context travels always; spans leave when a collector is configured."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from shared.telemetry import Telemetry

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01".encode()


class Collector:
    """An OTLP/HTTP endpoint that keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        kept = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                kept.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_without_a_collector_the_context_goes_on_unchanged() -> None:
    trace = Telemetry(service="gateway", endpoint=None).start("GET", PARENT)
    assert trace.traceparent == PARENT
    assert trace.child("billing").traceparent == PARENT
    trace.end()


@pytest.mark.parametrize(
    "header", [None, b"", b"garbage", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", PARENT + b"-extra"]
)
def test_a_missing_or_malformed_context_is_replaced_by_a_new_one(header: bytes | None) -> None:
    made = Telemetry(service="gateway", endpoint=None).start("GET", header).traceparent
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", made)
    assert TRACE_ID.encode() not in made


def test_spans_continue_the_callers_trace_and_reach_the_collector(collector: Collector) -> None:
    telemetry = Telemetry(service="inference-service", endpoint=collector.endpoint)
    trace = telemetry.start("POST", PARENT)
    trace.annotate({"http.route": "/v1/chat/completions"})
    child = trace.child("reserve", {"gen_ai.request.model": "m"})
    assert TRACE_ID.encode() in child.traceparent
    child.end()
    trace.end(failed=True)
    telemetry.shutdown()
    [exported] = collector.requests
    resource = exported.resource_spans[0].resource.attributes
    assert {item.key: item.value.string_value for item in resource}["service.name"] == "inference-service"
    spans = {span.name: span for span in exported.resource_spans[0].scope_spans[0].spans}
    assert spans["POST"].trace_id.hex() == TRACE_ID
    assert spans["POST"].parent_span_id.hex() == "b7ad6b7169203331"
    assert spans["reserve"].parent_span_id == spans["POST"].span_id
    assert spans["POST"].status.code == 2
