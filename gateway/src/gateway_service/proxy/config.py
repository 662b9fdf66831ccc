"""What an operator can set about the proxy; main.py fills it from the gateway's settings."""

from dataclasses import dataclass, field

from shared.http import Timeouts

from gateway_service.connections.limits import ConnectionLimits, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """Limits and public facts of the edge. All times in seconds, all sizes in bytes."""

    body_size_max: int = 32 * 1024 * 1024
    body_idle_s: float = 60.0
    """Longest pause within an upload: it holds a connection to the service."""
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    cors_origins: frozenset[str] = frozenset()
    """Origins (scheme://host:port) whose pages may call the API with a token; cookies never cross origins."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    hosts: frozenset[str] = frozenset({"*"})
    """Host names (lower case, no port) that are answered; "*" for any. A page of another name cannot reach us
    by DNS rebinding.
    """
    own_answer_s: float = 9.0
    """Longest wait for an answer of the gateway itself."""
    identity_s: float = 5.0
    """Longest wait for the database to say whose a credential is."""
    https: bool = False
    """The public URL is https: adds Strict-Transport-Security."""
    breaker_failures_max: int = 5
    breaker_open_s: float = 5.0
    timeouts: Timeouts = field(
        default_factory=lambda: Timeouts(connect_s=2.0, first_byte_s=600.0, idle_s=120.0, write_s=60.0)
    )
    """`first_byte_s` is the most that a route may ask for."""
