"""What a call to another service carries of the request that it is made for."""

from shared.logs import request_id_var
from shared.telemetry import traceparent_var


def context_headers(traceparent: bytes | None = None) -> list[tuple[bytes, bytes]]:
    """x-request-id and traceparent of the request under way, as far as there is one; `traceparent` replaces
    the latter.
    """
    headers: list[tuple[bytes, bytes]] = []
    if (request_id := request_id_var.get()) is not None:
        headers.append((b"x-request-id", request_id.encode("ascii")))
    if (parent := traceparent or traceparent_var.get()) is not None:
        headers.append((b"traceparent", parent))
    return headers
