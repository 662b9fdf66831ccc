"""Calls to other processes: the upstream pool for hot paths, an httpx factory for the rest."""

from shared.http.client import make_client
from shared.http.errors import (
    InvalidRequest,
    Phase,
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from shared.http.headers import HOP_BY_HOP, RawHeaders
from shared.http.limits import PoolLimits, Timeouts
from shared.http.pool import UpstreamPool
from shared.http.response import ResponseTooLarge, UpstreamResponse

__all__ = [
    "HOP_BY_HOP",
    "InvalidRequest",
    "Phase",
    "PoolLimits",
    "RawHeaders",
    "ResponseTooLarge",
    "Timeouts",
    "UpstreamBusy",
    "UpstreamConnectError",
    "UpstreamDisconnected",
    "UpstreamError",
    "UpstreamPool",
    "UpstreamProtocolError",
    "UpstreamResponse",
    "UpstreamTimeout",
    "make_client",
]
