"""A server that sends exactly the bytes a test wants, to try HTTP clients with."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from shared.http import PoolLimits, Timeouts, UpstreamPool

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
FAST = Timeouts(connect_s=1.0, first_byte_s=0.3, idle_s=0.3, write_s=0.3)


class RawServer:
    """Counts its connections."""

    def __init__(self) -> None:
        self.origin = ""
        self.connections = 0
        self.open = 0


@asynccontextmanager
async def serve(handler: Handler) -> AsyncGenerator[RawServer]:
    state = RawServer()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        state.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            state.open -= 1
            writer.close()

    server = await asyncio.start_server(on_client, "127.0.0.1", 0)
    state.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()


@asynccontextmanager
async def pool_of(limits: PoolLimits | None = None) -> AsyncGenerator[UpstreamPool]:
    pool = UpstreamPool(limits)
    try:
        yield pool
    finally:
        await pool.aclose(drain_s=0.1)


def answering(*answers: bytes) -> Handler:
    """Each request on a connection gets the next answer; afterwards the connection closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        await reader.read(1)

    return handler


async def fetch(
    pool: UpstreamPool, origin: str, method: str = "GET", body: bytes | None = None, timeouts: Timeouts = FAST
) -> tuple[int, bytes]:
    async with pool.request(method, origin, b"/", [], body=body, timeouts=timeouts) as response:
        return response.status, await response.read(1_000_000)
