"""Asking a local process over HTTP whether it is there, without loading an HTTP library into the
supervisor.
"""

import asyncio
import contextlib
import struct

from atrium_local.life import Answer

_TIMEOUT_S = 5.0
_HEALTH_TIMEOUT_S = 2.0
_SSL_REQUEST = struct.pack(
    "!ii", 8, 80877103
)  # the first message of PostgreSQL's protocol that needs no password
_ANSWER_BYTES_MAX = 64 * 1024


async def answers_http(port: int, path: str, *, host: str = "127.0.0.1", called: str | None = None) -> bool:
    """Whether a GET is answered with 200. `called`: the Host header, when it is not the address."""
    answer = await get(port, path, host=host, called=called)
    return answer is not None and answer[0] == 200


async def get(
    port: int, path: str, *, host: str = "127.0.0.1", called: str | None = None
) -> tuple[int, bytes] | None:
    """Status and body of a GET; None when nothing (complete) comes back in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _exchange(host, port, path, called or f"{host}:{port}")
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


async def http_health(port: int, path: str, *, called: str | None = None) -> Answer:
    """How a process on loopback answers a GET: any answer shows that it is not frozen, only 200 that it is
    well.
    """
    try:
        async with asyncio.timeout(_HEALTH_TIMEOUT_S):
            status, _ = await _exchange("127.0.0.1", port, path, called or f"127.0.0.1:{port}")
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except (OSError, ValueError, IndexError):
        return "bad"
    return "good" if status == 200 else "bad"


async def postgres_health(port: int) -> Answer:
    """Whether the server takes a connection and has a process of its own answer it."""
    try:
        async with asyncio.timeout(2 * _HEALTH_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_SSL_REQUEST)
                return "good" if await reader.read(1) else "bad"
            finally:
                writer.close()
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "bad"


async def _exchange(host: str, port: int, path: str, called: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {called}\r\nconnection: close\r\n\r\n".encode())
        raw = await reader.read(_ANSWER_BYTES_MAX)
        while chunk := await reader.read(_ANSWER_BYTES_MAX):
            raw += chunk
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
