"""Metrics of the jobs."""

from shared.metrics import Metrics


class JobMetrics:
    """One instance per process."""

    def __init__(self, metrics: Metrics) -> None:
        self.expired = metrics.counter("billing_holds_expired", "Holds ended by the sweeper")
        self.violations = metrics.gauge(
            "billing_invariant_violations",
            "Rows that break an invariant, 0 when all is well, NaN when not checked",
            ("invariant",),
        )
        self.unchecked = metrics.gauge(
            "billing_invariant_unchecked", "1 when the last check of an invariant failed", ("invariant",)
        )
