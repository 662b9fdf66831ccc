"""Asking a local process over HTTP whether it is there, without loading an HTTP library into the supervisor."""

import asyncio
import contextlib

_TIMEOUT_S = 5.0
_ANSWER_BYTES_MAX = 64 * 1024


async def answers_http(port: int, path: str, *, host: str = "127.0.0.1") -> bool:
    """Whether a GET is answered with 200."""
    answer = await get(port, path, host=host)
    return answer is not None and answer[0] == 200


async def get(port: int, path: str, *, host: str = "127.0.0.1") -> tuple[int, bytes] | None:
    """Status and body of a GET; None when nothing (complete) comes back in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _exchange(host, port, path)
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


async def _exchange(host: str, port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
        raw = await reader.read(_ANSWER_BYTES_MAX)
        while chunk := await reader.read(_ANSWER_BYTES_MAX):
            raw += chunk
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
