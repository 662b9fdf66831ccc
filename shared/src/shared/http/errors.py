"""What can go wrong between this process and an upstream, by what the caller can do about it."""

from typing import Literal

Phase = Literal["queue", "connect", "write", "first_byte", "idle"]


class UpstreamError(Exception):
    """The upstream gave no complete answer. `sent` tells whether any byte of the request may have left."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamConnectError(UpstreamError):
    """No connection: refused, unknown name, or a certificate that does not verify. Nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class UpstreamBusy(UpstreamConnectError):
    """Every connection to the origin is in use and the queue for one is full, or the pool is closing."""


class UpstreamTimeout(UpstreamError):
    """A phase took longer than its time-out."""

    def __init__(self, phase: Phase, origin: str) -> None:
        super().__init__(
            f"{origin} exceeded the time-out of phase {phase}", sent=phase not in {"queue", "connect"}
        )
        self.phase: Phase = phase


class UpstreamProtocolError(UpstreamError):
    """The answer broke HTTP/1.1 or one of our limits, or the connection ended in its middle."""


class UpstreamDisconnected(UpstreamProtocolError):
    """The upstream closed the connection before the end of its answer."""


class InvalidRequest(ValueError):
    """The request itself could not be written safely, e.g. a line break in a header value. A caller's bug or
    an attack.
    """
