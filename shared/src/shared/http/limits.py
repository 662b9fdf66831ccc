"""The bounds of the upstream pool: time per phase, bytes, connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds per phase.

    connect_s: waiting for a free connection, and separately opening one with TLS. write_s: one stretch
    without progress while sending. first_byte_s: from the last byte sent to the end of the response head.
    idle_s: between two pieces of the body. They are enforced to a tenth of a second.
    """

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    write_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Per origin: connections and requests waiting for one. Per response: size and number of header
    fields.
    """

    connections_max: int = 512
    """Each open stream holds one; a process has 1,024 file descriptors by default and a proxy needs two a
    stream.
    """
    queue_max: int = 1024
    keepalive_s: float = 4.0
    """Below uvicorn's 5 s, so that we close an idle connection before the other side does."""
    head_size_max: int = 64 * 1024
    head_fields_max: int = 200
    interim_responses_max: int = 8
    buffer_size_max: int = 256 * 1024
    """Bytes held for a slow reader before the socket is no longer read."""
