"""The client's side of one answer, as the service sees it."""

from typing import Protocol

from shared.errors import AppError

from inference_service.providers.protocol import Json

Headers = list[tuple[bytes, bytes]]


class Downstream(Protocol):
    """Writes are dropped silently once the client is gone."""

    async def answer(self, body: bytes, headers: Headers) -> None:
        """A complete JSON answer."""
        ...

    async def refuse(self, error: AppError) -> None:
        """An error as the whole answer."""
        ...

    async def begin(self, headers: Headers) -> None:
        """The head of an event stream."""
        ...

    async def write(self, events: bytes) -> None:
        """Whole events, as they are."""
        ...

    async def end(self, events: bytes) -> None:
        """The last events of the stream."""
        ...

    def error_event(self, error: AppError) -> Json:
        """`error` in the envelope clients of this route expect."""
        ...
