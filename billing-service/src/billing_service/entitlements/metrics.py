"""Metrics of the money path and the alarm tied to them."""

import logging
from uuid import UUID

from shared.metrics import Metrics

log = logging.getLogger(__name__)


class EntitlementMetrics:
    """One instance per process."""

    def __init__(self, metrics: Metrics) -> None:
        self.reserves = metrics.counter("billing_reserves", "Reservations by outcome", ("outcome",))
        self.settles = metrics.counter("billing_settles", "Settlements by result", ("result",))
        self.house_loss_nano = metrics.counter(
            "billing_house_loss_nano", "Nano-USD billed by providers beyond their holds"
        )

    def report_house_loss(self, dispatch_id: UUID, amount_nano: int) -> None:
        """Alarm: somebody's bound was not a bound."""
        self.house_loss_nano.inc(amount_nano)
        log.error(
            "a provider billed %d nano-USD beyond the hold of dispatch %s; check the token bound of its "
            "model",
            amount_nano,
            dispatch_id,
        )
