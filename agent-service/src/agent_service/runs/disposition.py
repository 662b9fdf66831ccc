"""How a browser may treat a file that a tool made: nothing in it can run as a page of this origin."""

from collections.abc import Mapping
from urllib.parse import quote

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def file_headers(name: str, content_type: str) -> Mapping[str, str]:
    """Headers of an answer with the file: pictures and plain text may be shown, all else is saved."""
    kind = content_type.split(";", 1)[0].strip().lower()
    is_text = kind.startswith("text/") and kind not in {"text/html", "text/xml"}
    shown = "inline" if kind in _IMAGES or is_text else "attachment"
    sent = kind if kind in _IMAGES else "text/plain; charset=utf-8" if is_text else "application/octet-stream"
    plain = "".join(
        character if character.isascii() and (character.isalnum() or character in "-_. ") else "_"
        for character in name
    )
    return {
        "content-type": sent,
        "content-disposition": f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, max-age=3600",
    }
