"""Takes an origin such as http://127.0.0.1:8001 apart, once per connection pool entry."""

import re
from dataclasses import dataclass

from shared.http.errors import InvalidRequest

_ORIGIN = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?/?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """`host` is what to connect to (no brackets), `host_header` what to say."""

    text: str
    tls: bool
    host: str
    port: int
    host_header: bytes


def parse_origin(text: str) -> Origin:
    """Raises InvalidRequest for anything but scheme://host[:port]."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"{text[:100]!r} is no origin; write http://host:port or https://host:port")
    scheme, host, port_text = match[1], match[2], match[3]
    port = int(port_text) if port_text else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise InvalidRequest(f"{port} is no port number")
    header = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return Origin(
        text=text, tls=scheme == "https", host=host.strip("[]"), port=port, host_header=header.encode("ascii")
    )
