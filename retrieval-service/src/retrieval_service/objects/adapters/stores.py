"""Object stores through obstore: a local folder, S3 and what speaks its language, or memory."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store
from shared.errors import Unavailable

from retrieval_service.objects.port import ObjectMissing, StoredObject

_PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes; 10,000 of them are 50 GB
_PARTS_AT_ONCE_MAX = 2
_READ_BYTES = 256 * 1024
_LIST_ROWS = 500
_STAGED_NAME = re.compile(r".+#\d+")


def _down() -> Unavailable:
    return Unavailable("the object store does not answer; see its log and OBJECT_STORE_URL", code="object_store_down")


@contextmanager
def _translated() -> Generator[None]:
    """The store's own errors as ours; those of the bytes' source pass."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing from error
    except (BaseError, OSError) as error:
        raise _down() from error


class ObstoreObjects:
    """Any store that obstore knows."""

    def __init__(self, store: LocalStore | MemoryStore | S3Store) -> None:
        self._store = store

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        source = _Source(chunks)
        try:
            with _translated():
                await obstore.put_async(
                    self._store, key, source.read(), use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE_MAX
                )
        except Exception as error:
            if source.error is not None:
                raise source.error from None
            if isinstance(error, ObjectMissing):
                raise _down() from error  # the bucket itself
            raise
        return source.size_bytes

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        with _translated():
            if end is None:
                found = await obstore.get_async(self._store, key, options={"range": {"offset": start}} if start else None)
            else:
                found = await obstore.get_async(self._store, key, options={"range": (start, end)})

        async def read() -> AsyncGenerator[bytes]:
            with _translated():
                async for chunk in found.stream(min_chunk_size=_READ_BYTES):
                    yield bytes(chunk)

        return read()

    async def delete(self, key: str) -> None:
        try:
            with _translated():
                await obstore.delete_async(self._store, key)
        except ObjectMissing:
            return

    async def list(self, prefix: str) -> AsyncGenerator[StoredObject]:
        with _translated():
            async for batch in obstore.list(self._store, prefix=prefix, chunk_size=_LIST_ROWS):  # pyright: ignore[reportUnknownMemberType] - its overloads name pyarrow, which is not here
                for item in batch:
                    yield StoredObject(item["path"], item["size"], item["last_modified"])

    async def sweep(self, before: datetime) -> None:
        """Nothing here: see LocalObjects, and a bucket's rule for incomplete multipart uploads."""

    async def check(self) -> None:
        try:
            # A listing, because a bucket that is not there looks like a missing object to everything else.
            async for _ in self.list("ready"):
                break
        except ObjectMissing as error:
            raise _down() from error


class _Source:
    """Counts the bytes on their way into the store, and remembers what their reader raised: the store wraps some errors."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self.size_bytes = 0
        self.error: Exception | None = None

    async def read(self) -> AsyncGenerator[bytes]:
        try:
            async for chunk in self._chunks:
                self.size_bytes += len(chunk)
                if chunk:
                    yield chunk
        except Exception as error:
            self.error = error
            raise


class LocalObjects(ObstoreObjects):
    """A folder. What it acknowledges is on the disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(LocalStore(folder, automatic_cleanup=True, mkdir=True))
        self._folder = folder

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        size_bytes = await super().put(key, chunks)
        with _translated():
            await asyncio.to_thread(_sync, self._folder / key)
        return size_bytes

    async def sweep(self, before: datetime) -> None:
        with _translated():
            await asyncio.to_thread(_remove_staged, self._folder, before.timestamp())


def _remove_staged(folder: Path, before_s: float) -> None:
    """Parts of objects that obstore had not yet given their names when its process died."""
    for path in folder.rglob("*#*"):
        with suppress(FileNotFoundError):  # it got its name meanwhile
            if _STAGED_NAME.fullmatch(path.name) and path.stat().st_mtime < before_s:
                path.unlink()


def _sync(path: Path) -> None:
    """The file's bytes, then its name."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def memory_objects() -> ObstoreObjects:
    """A store that ends with the process, for tests."""
    return ObstoreObjects(MemoryStore())


def s3_objects(
    *,
    bucket: str,
    prefix: str | None,
    region: str | None,
    endpoint: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
) -> ObstoreObjects:
    """A bucket. What is None comes from the AWS_* variables and the machine's role, as in every AWS client."""
    options = {
        "region": region,
        "endpoint": endpoint,
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
    }
    config = {name: value for name, value in options.items() if value is not None}
    plain_http = endpoint is not None and endpoint.startswith("http://")
    return ObstoreObjects(
        S3Store(
            bucket,
            prefix=prefix,
            config=config,  # pyright: ignore[reportArgumentType] - a TypedDict by construction
            client_options={"allow_http": plain_http, "connect_timeout": "5s", "timeout": "120s"},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )
    )
