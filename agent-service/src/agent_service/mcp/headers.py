"""HTTP headers people give for an MCP server: checked so that none can smuggle another one in."""

import re
from collections.abc import Mapping

HEADERS_MAX = 20
VALUE_CHARS_MAX = 4_096

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_OURS = frozenset({
    "host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "te",
    "trailer", "upgrade", "expect",
    "accept", "accept-encoding", "keep-alive", "last-event-id", "mcp-session-id", "mcp-protocol-version",
    "mcp-method", "mcp-name",
})  # fmt: skip


class HeaderRefused(Exception):
    """The text names the header and what is wrong, never its value."""


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` as they can be sent. Raises: HeaderRefused."""
    if len(headers) > HEADERS_MAX:
        raise HeaderRefused(f"there are more than {HEADERS_MAX} headers")
    seen: set[str] = set()
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise HeaderRefused(f"{name[:64]!r} is not the name of a header")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise HeaderRefused(f"the header {name} is set by the connection itself; leave it out")
        if name.lower() in seen:
            raise HeaderRefused(f"the header {name} is given twice")
        if len(value) > VALUE_CHARS_MAX or not _VALUE.fullmatch(value):
            raise HeaderRefused(
                f"the value of {name} must be 1 to {VALUE_CHARS_MAX} printable ASCII characters on one line"
            )
        seen.add(name.lower())
    return dict(headers)
