"""The answer of an upstream while its body is still arriving."""

from collections.abc import AsyncIterator

from shared.http.connection import Connection
from shared.http.errors import UpstreamProtocolError
from shared.http.headers import RawHeaders


class ResponseTooLarge(UpstreamProtocolError):
    """The body exceeds what the caller said it would hold in memory."""


class UpstreamResponse:
    """Valid inside the `async with` that gave it. Header names are lower-case."""

    __slots__ = ("_connection", "_idle_s", "headers", "status")

    def __init__(self, connection: Connection, idle_s: float) -> None:
        self.status = connection.status
        self.headers: RawHeaders = connection.headers
        self._connection: Connection | None = connection
        self._idle_s = idle_s

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field; `name` in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    async def next_chunk(self) -> bytes:
        """The body bytes of one read from the upstream's socket, as they arrive; b"" at the end."""
        return await self._open().next_chunk(self._idle_s)

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """Yields one item per read from the upstream's socket, never joined, never held back."""
        while chunk := await self.next_chunk():
            yield chunk

    def take(self) -> tuple[bytes, bool]:
        """What is here already, without waiting, and whether the body ended with it."""
        return self._open().take()

    @property
    def ended(self) -> bool:
        """True once the last byte of the body has been handed out."""
        return self._open().drained

    async def read(self, size_max: int) -> bytes:
        """The whole body. Raises ResponseTooLarge beyond `size_max` bytes."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await self.next_chunk():
            size += len(chunk)
            if size > size_max:
                raise ResponseTooLarge(f"the answer is larger than {size_max} bytes")
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def cancel(self) -> None:
        """Closes the connection at once, from any task; a waiting reader gets UpstreamDisconnected."""
        if self._connection is not None:
            self._connection.abort()

    def detach(self) -> None:
        """Ends the validity of this object; the pool calls it when the exchange is over."""
        self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the response was read after its `async with` ended")
        return self._connection
