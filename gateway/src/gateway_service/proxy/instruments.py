"""What records that a request went through."""

from dataclasses import dataclass

from shared.logs import AccessLog
from shared.metrics import Metrics
from shared.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Instruments:
    """One line, one count and, with a collector, one span for each request."""

    metrics: Metrics
    telemetry: Telemetry
    access_log: AccessLog
