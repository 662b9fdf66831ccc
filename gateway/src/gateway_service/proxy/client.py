"""Who the client is: the peer, or whom a trusted proxy names; and whether the Host it asked for is ours."""

from collections.abc import Sequence

from shared.errors import BadRequest
from starlette.types import Scope

from gateway_service.connections.limits import ANY_HOST, IP_LITERALS, Network, is_within, parse_address
from gateway_service.proxy.headers import RequestHeaders


def believe_proxies(scope: Scope, headers: RequestHeaders, trusted: Sequence[Network]) -> None:
    """Puts client and scheme into `scope` as the trusted proxy in front of us gives them; without one nothing
    changes.
    """
    peer = scope.get("client")
    if peer is None or not is_within(peer[0], trusted):
        return
    if headers.forwarded_for is not None:
        scope["client"] = (_nearest_stranger(headers.forwarded_for.decode("latin-1"), trusted) or peer[0], 0)
    if headers.forwarded_proto in {b"http", b"https"}:
        scope["scheme"] = headers.forwarded_proto.decode()


def _nearest_stranger(forwarded_for: str, trusted: Sequence[Network]) -> str | None:
    """The last address that no trusted proxy has; what stands before it was written by a stranger."""
    found: str | None = None
    for part in reversed(forwarded_for.split(",")):
        address = parse_address(part.strip().strip("[]"))
        if address is None:
            return found
        found = str(address)
        if not is_within(found, trusted):
            return found
    return found


def check_host(host: bytes, hosts: frozenset[str]) -> None:
    """Raises: BadRequest for a name that is not in `hosts`."""
    if ANY_HOST in hosts:
        return
    name = host.decode("latin-1").lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    if name in hosts or (
        IP_LITERALS in hosts and parse_address(name.removeprefix("[").removesuffix("]")) is not None
    ):
        return
    raise BadRequest(
        "this Host is not served here; set WEBUI_URL to the address people open, or add it to TRUSTED_HOSTS",
        code="unknown_host",
    )
