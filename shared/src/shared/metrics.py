"""Prometheus metrics of one process."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

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
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class _Durations:
    """How long the requests of one route took: a count per bucket and one for what is longer."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(_LATENCY_BUCKETS_S) + 1)
        self.total_s = 0.0


class _Requests(Collector):
    """Count and duration of requests. The library's own counters take a lock for each of three steps, three
    times the cost.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._durations: dict[tuple[str, str], _Durations] = {}

    def observe(self, method: str, route: str, status: int, duration_s: float) -> None:
        key = (method, route, status)
        count = self._counts.get(key)
        self._counts[key] = 1 if count is None else count + 1
        durations = self._durations.get((method, route))
        if durations is None:
            durations = self._durations[method, route] = _Durations()
        durations.counts[bisect_left(_LATENCY_BUCKETS_S, duration_s)] += 1
        durations.total_s += duration_s

    def collect(self) -> Iterator[Metric]:
        counts = CounterMetricFamily(
            "atrium_http_requests", "Requests answered", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._counts.items():
            counts.add_metric((method, route, str(status)), count)
        yield counts
        times = HistogramMetricFamily(
            "atrium_http_request_duration_seconds",
            "Time to the end of the answer",
            labels=("method", "route"),
        )
        limits = (*(repr(float(limit_s)) for limit_s in _LATENCY_BUCKETS_S), "+Inf")
        for (method, route), durations in self._durations.items():
            times.add_metric(
                (method, route),
                list(zip(limits, accumulate(durations.counts), strict=True)),
                durations.total_s,
            )
        yield times


class Metrics:
    """The registry of a service with its request metrics; features add their own by `counter`, `gauge`,
    `histogram`.
    """

    def __init__(self, *, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._service = service
        self._requests = _Requests()
        self.registry.register(self._requests)

    def observe_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one request. `route` is a template, never a raw path."""
        self._requests.observe(method, route, status, duration_s)

    def counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"atrium_{name}", help_text, labels, registry=self.registry)

    def gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"atrium_{name}", help_text, labels, registry=self.registry)

    def histogram(
        self,
        name: str,
        help_text: str,
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = _LATENCY_BUCKETS_S,
    ) -> Histogram:
        return Histogram(f"atrium_{name}", help_text, labels, buckets=buckets, registry=self.registry)

    def render(self) -> bytes:
        return generate_latest(self.registry)
