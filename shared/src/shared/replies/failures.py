"""What a reply says when its model could not write it, or its person may no longer have it written."""

from shared.access import DETAILS, EndReason
from shared.contracts.chat import MessageError
from shared.http import UpstreamError, UpstreamTimeout

SERVICE_AWAY = "service_away"
MODEL_DISCONNECTED = "model_disconnected"


def model_not_ready(reason: str, *, waited_s: float) -> MessageError:
    """`reason`: that of a ModelNotReadyError."""
    detail = f"the model was not ready within {waited_s:.0f} s; try again, or choose another model"
    return MessageError(code=reason, detail=detail, status=503)


def service_away() -> MessageError:
    detail = (
        "a service that models need does not answer; nothing was sent to the model and nothing charged, "
        "try again shortly"
    )
    return MessageError(code=SERVICE_AWAY, detail=detail, status=503)


def broken_off(error: UpstreamError, *, dispatched: bool) -> MessageError:
    """Inference did not answer, fell silent, or went away in the middle (MODEL_DISCONNECTED)."""
    if isinstance(error, UpstreamTimeout) and error.sent:
        detail = "the model was silent for too long, so the answer was ended; what it wrote is kept"
        return MessageError(code="model_timeout", detail=detail, status=504)
    if dispatched:
        detail = "the connection to the model broke while it answered; what it wrote is kept"
        return MessageError(code=MODEL_DISCONNECTED, detail=detail, status=502)
    return MessageError(
        code="inference_unavailable",
        detail="the inference-service does not answer; try again shortly",
        status=503,
    )


def access_lost(reason: EndReason) -> MessageError:
    """The person or key may no longer run anything."""
    return MessageError(code=reason.value, detail=DETAILS[reason], status=403)


def internal_error() -> MessageError:
    """What nobody foresaw; the log says more."""
    return MessageError(
        code="internal_error", detail="something went wrong on our side; try again", status=500
    )
