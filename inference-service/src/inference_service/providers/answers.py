"""Heads of answers that are not quite what was asked for: compressed, moved, or with a wait in
another form.
"""

import math
import zlib
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from shared.clock import utc_now
from shared.http import UpstreamResponse
from shared.http.errors import UpstreamProtocolError

_RETRY_AFTER_S_MAX = 3600
_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
_REDIRECTS = frozenset({307, 308})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_STEP_BYTES_MAX = 1024 * 1024


def retry_after_s(response: UpstreamResponse) -> int | None:
    """Whole seconds to wait, from seconds with or without a fraction or from a date; None when nothing
    sensible is said.
    """
    text = (response.header(b"retry-after") or b"").decode("latin-1").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            seconds = moment.timestamp() - utc_now().timestamp()
        except (ValueError, OverflowError):
            return None
    if not math.isfinite(seconds):
        return None
    return max(1, min(math.ceil(seconds), _RETRY_AFTER_S_MAX))


def redirect_target(origin: str, path: bytes, response: UpstreamResponse) -> bytes | None:
    """Where the same request is to be sent within its origin; None when it is not asked for or leads to
    another server.
    """
    location = response.header(b"location")
    if response.status not in _REDIRECTS or location is None:
        return None
    try:
        target = urlsplit(urljoin(origin + path.decode("ascii"), location.decode("ascii")))
        same = f"{target.scheme}://{target.netloc}".lower() == origin.lower()
    except (UnicodeDecodeError, ValueError):
        return None
    if not same or not target.path.startswith("/"):
        return None
    return (target.path + (f"?{target.query}" if target.query else "")).encode("ascii")


def is_inflatable(response: UpstreamResponse) -> bool:
    """Whether the body is compressed although nobody asked for that, in a way that can be undone."""
    return (response.header(b"content-encoding") or b"").strip().lower() in _ENCODINGS


def inflated(response: UpstreamResponse) -> UpstreamResponse:
    """The same answer, its body decompressed as it comes."""
    return _Inflated(response)


class _Inflated(UpstreamResponse):
    """Bounded steps: a small body may stand for a very large one."""

    def __init__(self, inner: UpstreamResponse) -> None:
        self.status = inner.status
        self.headers = [
            (name, value)
            for name, value in inner.headers
            if name not in {b"content-encoding", b"content-length"}
        ]
        self._inner = inner
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    async def next_chunk(self) -> bytes:
        while True:
            if self._inflate.eof:
                return await self._after_end()
            packed = self._inflate.unconsumed_tail or await self._inner.next_chunk()
            try:
                data = self._inflate.decompress(packed, _STEP_BYTES_MAX)
            except zlib.error as error:
                raise UpstreamProtocolError("sent a compressed body that is broken") from error
            if data:
                return data
            if not packed and not self._inflate.eof:
                raise UpstreamProtocolError("ended a compressed body too early")

    async def _after_end(self) -> bytes:
        """Nothing. What stands behind the compressed body belongs to nobody and may never end."""
        if not self._inflate.unused_data:
            await self._inner.next_chunk()
        return b""

    @property
    def ended(self) -> bool:
        return self._inner.ended

    def cancel(self) -> None:
        self._inner.cancel()
