"""The billing-service's own metrics and the alarms tied to them."""

import logging
from uuid import UUID

from shared.metrics import Metrics

log = logging.getLogger(__name__)


class BillingMetrics:
    """Counters of the money path; one instance a process."""

    def __init__(self, metrics: Metrics) -> None:
        self.reserves = metrics.counter("billing_reserves", "Reservations by outcome", ("outcome",))
        self.settles = metrics.counter("billing_settles", "Settlements by result", ("result",))
        self.house_loss_nano = metrics.counter("billing_house_loss_nano", "Nano-USD billed by providers beyond their holds")
        self.expired = metrics.counter("billing_holds_expired", "Holds ended by the sweeper")
        self.violations = metrics.gauge(
            "billing_invariant_violations", "Rows that break an invariant, 0 when all is well, NaN when not checked", ("invariant",)
        )
        self.unchecked = metrics.gauge("billing_invariant_unchecked", "1 when the last check of an invariant failed", ("invariant",))

    def report_house_loss(self, request_id: UUID, amount_nano: int) -> None:
        """Alarm: somebody's bound was not a bound."""
        self.house_loss_nano.inc(amount_nano)
        log.error(
            "a provider billed %d nano-USD beyond the hold of dispatch %s; check the token bound of its model", amount_nano, request_id
        )
