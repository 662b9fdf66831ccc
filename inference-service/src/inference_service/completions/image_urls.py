"""Which addresses of images a provider may be sent: it fetches them from where it stands, so only what is
public.
"""

import ipaddress
import re
import unicodedata
from typing import Never
from urllib.parse import urlsplit

from inference_service.json_fields import refusal

_URL_CHARS_MAX = 8192
_DATA = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,[A-Za-z0-9+/_=-]+\Z", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+\Z")
# The WHATWG rule for what browsers and HTTP clients read as an IPv4 address: the last label is a number, in
# any base.
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_PRIVATE_SUFFIXES = (
    ".localhost", ".local", ".localdomain", ".internal", ".intranet", ".private", ".corp", ".home", ".lan",
    ".arpa", ".test", ".invalid",
    ".example", ".onion", ".svc", ".cluster",
    # Public names that resolve to whatever address stands in them, or to this machine.
    ".nip.io", ".sslip.io", ".xip.io", ".traefik.me", ".localtest.me", ".lvh.me", ".vcap.me",
    ".lacolhost.com", ".rbndr.us",
)  # fmt: skip
# Where clouds answer to every machine in them although the address looks public: Azure's wire server,
# Oracle's metadata.
_PLATFORM_NETWORKS = tuple(map(ipaddress.IPv4Network, ("168.63.129.16/32", "192.0.0.0/24")))
_EMBEDDING_NETWORKS = tuple(
    map(
        ipaddress.IPv6Network,
        ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"),
    )
)


def check_image_url(url: str, param: str) -> None:
    """Raises: BadRequest unless `url` is an image in a data: URL or a public https address."""
    if url[:5].lower() == "data:":
        if _DATA.match(url) is None:
            _refuse("a data: URL must be data:image/<kind>;base64,<data>", param)
        return
    if (
        len(url) > _URL_CHARS_MAX
        or not url.isascii()
        or any(ord(char) <= ord(" ") or char in '\\<>"^`{|}\x7f' for char in url)
    ):
        _refuse(f"an address has at most {_URL_CHARS_MAX} plain characters", param)
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        _refuse("it is not an address", param)
    if (
        parts.scheme.lower() != "https"
        or "@" in parts.netloc
        or not url[6:].startswith("//")
        or url[8:9] in "/?#"
    ):
        _refuse("only https:// addresses without credentials are sent to a provider", param)
    if not is_public_host(host):
        _refuse("the address is not a public one", param)


def is_public_host(host: str) -> bool:
    """Whether `host`, as it stands in a URL, is a public name or address in its usual spelling."""
    name = unicodedata.normalize("NFKC", host).lower().removesuffix(".")
    if ":" in name:
        return _is_public_v6(name)
    if _NUMBER.match(name.rpartition(".")[2]) is not None:
        return _is_public_v4(name)
    return _HOST.match(name) is not None and not f".{name}".endswith(_PRIVATE_SUFFIXES)


def _is_public_v4(text: str) -> bool:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False  # 127.1, 2130706433, 0x7f.0.0.1 and the like
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _PLATFORM_NETWORKS)
    )


def _is_public_v6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    if address.ipv4_mapped is not None or any(address in network for network in _EMBEDDING_NETWORKS):
        return False
    return (
        address.is_global
        and not address.is_site_local
        and not address.is_multicast
        and address.scope_id is None
    )


def _refuse(reason: str, param: str) -> Never:
    raise refusal(
        f"{param} cannot be used: {reason}; send the image as a data: URL or from a public https address",
        param,
    )
