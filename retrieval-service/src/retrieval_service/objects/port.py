"""What an object store must do. Keys are ours, never a person's words."""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

FILES_PREFIX = "files"
UPLOADS_PREFIX = "uploads"


class ObjectMissing(Exception):
    """There is no object of this key."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as a listing shows it."""

    key: str
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """One per process. An object appears whole or not at all; when a write returns, it survives the end of
    this process.
    """

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Store what `chunks` yields, a bounded part of it in memory at a time; returns its size in bytes.

        Raises: what `chunks` raises, and then nothing is stored; Unavailable.
        """
        ...

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `end` (None: to the end), in chunks; the object is there when this
        returns.

        Raises: ObjectMissing, Unavailable.
        """
        ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is no error. Raises: Unavailable."""
        ...

    def list(self, prefix: str) -> AsyncGenerator[StoredObject]:
        """Every object below a folder. Raises: Unavailable."""
        ...

    async def sweep(self, before: datetime) -> None:
        """Remove what writes left that were cut before that time and that no listing shows; a bucket does so
        by a rule of its own.
        """
        ...

    async def check(self) -> None:
        """Raises: Unavailable when the store does not answer."""
        ...


async def read_all(store: ObjectStore, key: str, *, start: int = 0, end: int | None = None) -> bytes:
    """The bytes at once, for ranges that are known to be small. Raises: ObjectMissing, Unavailable."""
    return b"".join([chunk async for chunk in await store.open(key, start=start, end=end)])
