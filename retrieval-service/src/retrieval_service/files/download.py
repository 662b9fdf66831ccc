"""Headers and ranges of a download."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from shared.errors import AppError

_SHOWN_INLINE = frozenset({"application/pdf", "text/plain"})
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_UNSAFE_IN_HEADER = re.compile(r"[^A-Za-z0-9 ._()-]")


class RangeUnsatisfiable(AppError):
    """The asked range lies behind the end."""

    status: ClassVar[int] = 416
    code = "range_unsatisfiable"
    title: ClassVar[str] = "Range not satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the file has {size_bytes} bytes; ask for a range within",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`. `whole`: no range was asked for."""

    start: int
    end: int
    whole: bool


def span_of(range_header: str | None, if_range: str | None, *, size_bytes: int, etag: str) -> Span:
    """What to send. A range of a form that we do not serve, or of an older file, means the whole (RFC 9110
    section 14.2).

    Raises: RangeUnsatisfiable.
    """
    whole = Span(0, size_bytes, whole=True)
    asked = _RANGE.fullmatch(range_header.strip()) if range_header else None
    if asked is None or (if_range is not None and if_range != etag):
        return whole
    first, last = asked.groups()
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return whole
    if start >= size_bytes or start >= end:
        raise RangeUnsatisfiable(size_bytes)
    return Span(start, end, whole=False)


def headers_of(
    filename: str, content_type: str, *, span: Span, size_bytes: int, etag: str, inline: bool
) -> Mapping[str, str]:
    """Nothing of a person's file may run on our origin: it is saved, or shown where browsers show inert
    types.
    """
    shown = inline and content_type in _SHOWN_INLINE
    plain = _UNSAFE_IN_HEADER.sub("_", filename)
    kind = "inline" if shown else "attachment"
    headers = {
        "content-type": f"{content_type}; charset=utf-8" if content_type == "text/plain" else content_type,
        "content-length": str(span.end - span.start),
        "content-disposition": f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}",
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "etag": etag,
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox"
        if content_type != "application/pdf"
        else "default-src 'none'",
    }
    if not span.whole:
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size_bytes}"
    return headers
