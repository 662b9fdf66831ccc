"""Prometheus metrics of one process."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The registry of a service with its request metrics; features add their own by `counter`, `gauge`, `histogram`."""

    def __init__(self, *, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._service = service
        labels = ("method", "route", "status")
        self._requests = Counter("atrium_http_requests", "Requests answered", labels, registry=self.registry)
        self._durations = Histogram(
            "atrium_http_request_duration_seconds",
            "Time to the end of the answer",
            ("method", "route"),
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one request. `route` is a template, never a raw path."""
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            children = (self._requests.labels(method, route, str(status)), self._durations.labels(method, route))
            self._children[key] = children
        children[0].inc()
        children[1].observe(duration_s)

    def counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"atrium_{name}", help_text, labels, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"atrium_{name}", help_text, labels, registry=self.registry)

    def histogram(
        self, name: str, help_text: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = _LATENCY_BUCKETS_S
    ) -> Histogram:
        return Histogram(f"atrium_{name}", help_text, labels, buckets=buckets, registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)
