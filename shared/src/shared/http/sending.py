"""A request on its way into a connection: at once when it fits, in pieces when it does not."""

from collections.abc import AsyncIterator

from shared.http.connection import Connection
from shared.http.errors import InvalidRequest

Body = bytes | AsyncIterator[bytes] | None

_SMALL_BODY = 64 * 1024


def sent_at_once(connection: Connection, head: bytes, body: Body, *, method: bytes) -> bool:
    """Whether the whole request went into the socket without waiting; else nothing did."""
    if body is not None and (not isinstance(body, bytes) or len(body) > _SMALL_BODY):
        return False
    connection.begin(head_only=method == b"HEAD")
    if not connection.send_now(head + body if body else head):
        return False
    connection.request_sent = True
    return True


async def send_request(
    connection: Connection,
    head: bytes,
    body: Body,
    *,
    method: bytes,
    body_size: int | None,
    write_s: float,
) -> None:
    """Send it in as many pieces as it takes; a streamed body ends early when the upstream has answered."""
    connection.begin(head_only=method == b"HEAD")
    if body is None:
        await connection.send(head, write_s)
    elif isinstance(body, bytes):
        if len(body) <= _SMALL_BODY:
            await connection.send(head + body, write_s)
        else:
            await connection.send(head, write_s)
            await connection.send(body, write_s)
    elif not await _send_stream(connection, head, body, body_size=body_size, write_s=write_s):
        return
    connection.request_sent = True


async def _send_stream(
    connection: Connection, head: bytes, body: AsyncIterator[bytes], *, body_size: int | None, write_s: float
) -> bool:
    """True when the whole body went out; False when the upstream answered before it had read it all."""
    await connection.send(head, write_s)
    left = body_size
    async for piece in body:
        if connection.head_complete:
            return False
        if not piece:
            continue
        if left is not None:
            left -= len(piece)
            if left < 0:
                raise InvalidRequest("the streamed body is longer than its content-length")
            await connection.send(piece, write_s)
        else:
            await connection.send(b"%x\r\n%b\r\n" % (len(piece), piece), write_s)
    if left:
        raise InvalidRequest("the streamed body is shorter than its content-length")
    if left is None and not connection.head_complete:
        await connection.send(b"0\r\n\r\n", write_s)
    return not connection.head_complete
