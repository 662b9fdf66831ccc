"""Compresses answers that the gateway makes itself: JSON and pages over a kilobyte. What a service answers
passes untouched.
"""

import asyncio
import gzip

from shared.http import RawHeaders
from starlette.types import Message, Send

_WORTH_BYTES = 1_000
_LEVEL = 5
# Compressing more than this takes a millisecond and longer, in which nobody else would be served.
_IN_THREAD_BYTES = 64 * 1024
_KINDS = (b"application/json", b"application/problem+json", b"text/html")
# An answer that holds a token beside words of the request would tell by its size how alike they are (BREACH).
_SECRET_PREFIX = "/api/v1/auth/"  # noqa: S105 - a path
_VARY = (b"vary", b"accept-encoding")


def compressing(send: Send, path: str, codings: set[str]) -> Send:
    """`send` for a client that takes these content codings."""
    if "gzip" not in codings or path.startswith(_SECRET_PREFIX):
        return send
    held: Message | None = None

    async def send_smaller(message: Message) -> None:
        nonlocal held
        if message["type"] == "http.response.start" and _is_worth(message.get("headers", ())):
            held = message
            return
        if held is not None:
            start, held = held, None
            start, message = await _packed(start, message)
            await send(start)
        await send(message)

    return send_smaller


async def _packed(start: Message, first: Message) -> tuple[Message, Message]:
    body: bytes = first.get("body", b"")
    headers: RawHeaders = [*start["headers"], _VARY]
    if first.get("more_body", False) or len(body) < _WORTH_BYTES:
        return {**start, "headers": headers}, first
    if len(body) > _IN_THREAD_BYTES:
        small = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
    else:
        small = gzip.compress(body, _LEVEL, mtime=0)
    headers = [item for item in headers if item[0] != b"content-length"]
    headers += [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(small))]
    return {**start, "headers": headers}, {**first, "body": small}


def _is_worth(headers: RawHeaders) -> bool:
    names = {name for name, _ in headers}
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    return kind.startswith(_KINDS) and b"content-encoding" not in names and b"etag" not in names
