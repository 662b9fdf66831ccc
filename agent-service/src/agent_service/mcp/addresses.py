"""Which addresses an MCP server may have: never those of a cloud's metadata, and private ones only where that
is allowed.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

URL_CHARS_MAX = 2_048

# Where clouds answer for a machine's credentials and settings: AWS, Alibaba, Oracle, Azure, Google.
_METADATA = tuple(
    map(
        ip_network,
        ("fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32", "fd20:ce::/64"),
    )
)
_SITE_LOCAL = IPv6Network("fec0::/10")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")


class AddressRefused(Exception):
    """The text says why, in words for the person who entered it."""


def check_url(url: str) -> str:
    """`url` when its form is acceptable. Raises: AddressRefused."""
    if len(url) > URL_CHARS_MAX:
        raise AddressRefused(f"the URL is longer than {URL_CHARS_MAX} characters")
    if not url.isascii() or any(character <= " " or character in '\x7f\\"<>' for character in url):
        raise AddressRefused("the URL contains characters that do not belong into one")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("this is not a URL; write one such as https://tools.example.com/mcp") from None
    if parts.scheme not in {"http", "https"}:
        raise AddressRefused("the URL must begin with http:// or https://")
    if not parts.hostname or port == 0:
        raise AddressRefused("the URL names no host; write one such as https://tools.example.com/mcp")
    if "@" in parts.netloc:
        raise AddressRefused("the URL contains credentials; send them as a header instead")
    if "#" in url:
        raise AddressRefused("the URL contains a fragment, which is never sent; leave it out")
    return url


def literal_address(url: str) -> IPv4Address | IPv6Address | None:
    """The address when the URL names one instead of a host name."""
    try:
        return ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None


def check_address(address: IPv4Address | IPv6Address, *, private_allowed: bool) -> None:
    """Raises: AddressRefused when nothing may be sent there."""
    inner = _embedded(address)
    if inner.is_link_local or inner in _SITE_LOCAL or any(inner in network for network in _METADATA):
        raise AddressRefused(
            f"{inner} is a link-local, site-local or metadata address, and nothing is ever sent there"
        )
    if inner.is_multicast or inner.is_unspecified or (inner.is_reserved and not inner.is_loopback):
        raise AddressRefused(f"{inner} is not the address of a server")
    if not private_allowed and not inner.is_global:
        raise AddressRefused(
            f"{inner} is an address of the own network; the operator can allow those "
            "(MCP_ALLOW_PRIVATE_ADDRESSES)"
        )


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address
