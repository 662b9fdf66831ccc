"""What a client may hold of this process before it has said who it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

ANY_HOST = "*"
IP_LITERALS = "<ip>"
"""Among the hosts: every address is answered. A page of another site reaches us under a name, never under an
address.
"""

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Times in seconds, enforced to half a second."""

    head_s: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the request's head."""
    body_s: float = 20.0
    """From the end of the head to the end of the body, of requests that have shown no good credential."""
    write_s: float = 60.0
    """A client that takes nothing of its answer for so long is cut off."""
    per_address_max: int = 1000
    unbounded: tuple[Network, ...] = LOOPBACK
    """Addresses that stand for many clients: this machine, and the proxies in front of us."""
    descriptors_reserve: int = 100
    """File descriptors kept for the database, logs, static files and connections to services not yet opened.
    """


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address; an IPv4 one mapped into IPv6 as itself. None for what is no address, such as a Unix
    socket's name.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def site_of(text: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which every home
    is given.
    """
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address) >> _IPV6_SITE_BITS << _IPV6_SITE_BITS, _IPV6_SITE_BITS)))
    return text if address is None else str(address)


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """Whether the address lies in one of the networks."""
    address = parse_address(text)
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )
