"""Decides what a raw path may look like, before anything else reads it."""

import re

from shared.errors import BadRequest, NotFound

# Two readers of one path must agree on its segments. Encoded slashes and backslashes, dot segments (also
# encoded, also before a path parameter), NUL and bytes outside visible ASCII are where readers are known to
# differ.
_AMBIGUOUS = re.compile(
    rb"%2f|%5c|%00|\\|[^\x21-\x7e]|%(?![0-9a-f]{2})|(?:^|/)(?:\.|%2e){1,2}(?=[/;]|%3b|$)",
    re.IGNORECASE,
)
_PLAIN = b"/-_~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CLOSED = re.compile(r"/+(?:internal|metrics)(?:/|$)")


def check_raw_path(raw_path: bytes) -> None:
    """Raises BadRequest for a path that two parsers could read differently."""
    if not raw_path.translate(None, _PLAIN) and raw_path.startswith(b"/"):
        return  # nearly every path, at a fraction of the regular expression's time
    if _AMBIGUOUS.search(raw_path) or not raw_path.startswith(b"/"):
        raise BadRequest(
            "the path holds an encoded slash, a backslash, a dot segment or a character that must be "
            "percent-encoded",
            code="ambiguous_path",
        )


def check_closed(path: str) -> None:
    """Raises NotFound for the decoded paths that exist only between the platform's own processes."""
    if path.startswith(("/internal", "/metrics", "//")) and _CLOSED.match(path):
        raise NotFound("there is nothing at this address")
