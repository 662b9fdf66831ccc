"""Counts and durations of requests as a Prometheus server reads them."""

from prometheus_client.parser import text_string_to_metric_families
from shared.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("atrium_http")
    }


def test_requests_are_counted_by_status_and_timed_by_route() -> None:
    metrics = Metrics(service="echo")
    for status, duration_s in ((200, 0.0005), (200, 0.05), (404, 0.0501), (200, 4000.0)):
        metrics.observe_request("GET", "/things", status, duration_s)
    metrics.observe_request("POST", "/things", 201, 1.0)
    found = samples(metrics)
    assert found["atrium_http_requests_total", "method=GET", "route=/things", "status=200"] == 3
    assert found["atrium_http_requests_total", "method=GET", "route=/things", "status=404"] == 1
    assert found["atrium_http_requests_total", "method=POST", "route=/things", "status=201"] == 1
    bucket = "atrium_http_request_duration_seconds_bucket"
    # A bucket holds what took as long as its limit or less.
    for limit, count in (("0.001", 1), ("0.025", 1), ("0.05", 2), ("0.1", 3), ("300.0", 3), ("+Inf", 4)):
        assert found[bucket, f"le={limit}", "method=GET", "route=/things"] == count
    assert found["atrium_http_request_duration_seconds_count", "method=GET", "route=/things"] == 4
    assert found["atrium_http_request_duration_seconds_sum", "method=GET", "route=/things"] == 4000.1006


def test_nothing_is_shown_before_the_first_request() -> None:
    assert samples(Metrics(service="echo")) == {}
