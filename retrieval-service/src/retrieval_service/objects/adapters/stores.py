"""Object stores through obstore: a local folder, or S3 and what speaks its language."""

import asyncio
import errno
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from shared.errors import AppError, Unavailable

from retrieval_service.objects.errors import StorageFull
from retrieval_service.objects.port import ObjectMissing, StoredObject

if TYPE_CHECKING:
    from obstore.store import ClientConfig  # there is none at run time

_PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes; 10,000 of them are 50 GB
_PARTS_AT_ONCE_MAX = 2
_READ_BYTES = 256 * 1024
_LIST_ROWS = 500
_STALLED_AFTER_S = 120  # a part has to be written in it too: two at once over a line of 0.7 Mbit/s
_STAGED_NAME = re.compile(r".+#\d+")
_STATUS = re.compile(
    r"^.*?status code: (\d{3})"
)  # what follows is the answer's body, in which some servers repeat the signature
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_QUERY = re.compile(r"\?\S+")
_REASON_CHARS_MAX = 300
# What the local store's library, which hands on no number, says of ENOSPC and EDQUOT.
_FULL = re.compile(r"os error (?:28|122)\)|No space left on device|Disk quota exceeded")

log = logging.getLogger(__name__)


def _down() -> Unavailable:
    return Unavailable(
        "the object store does not answer; see its log and OBJECT_STORE_URL", code="object_store_down"
    )


def _failed(error: Exception) -> AppError:
    """What the caller hears. The operator reads the reason in the log, without anything that was signed or
    sent.
    """
    text = str(error)
    line = text.partition("\n")[0]
    answer, code = _STATUS.search(line), _CODE.search(text)
    reason = _QUERY.sub("", answer[0] if answer else line)[:_REASON_CHARS_MAX]
    log.warning("the object store failed", extra={"reason": f"{reason} {code[1]}" if code else reason})
    if _FULL.search(text) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull()
    if code and code[1] == "NoSuchBucket":
        return Unavailable(
            "the bucket that OBJECT_STORE_URL names is not there; create it", code="object_store_down"
        )
    if answer and answer[1] in {"401", "403"}:
        detail = (
            "the object store refuses this service; check its keys and what they may do in the bucket of "
            "OBJECT_STORE_URL"
        )
        return Unavailable(detail, code="object_store_down")
    return _down()


@contextmanager
def _translated() -> Generator[None]:
    """The store's own errors as ours, cut off from their texts; those of the bytes' source pass."""
    try:
        yield
    except FileNotFoundError as error:
        if "<Code>NoSuchBucket</Code>" in str(error):
            raise _failed(error) from None
        raise ObjectMissing from None
    except (BaseError, OSError) as error:
        raise _failed(error) from None


class ObstoreObjects:
    """Any store that obstore knows."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        source = _Source(chunks)
        try:
            with _translated():
                await self._write(key, source.read())
        except Exception as error:
            if source.error is not None:
                raise source.error from None
            if isinstance(error, ObjectMissing):
                raise _down() from error  # of an upload in parts, which a bucket's rule may end
            raise
        return source.size_bytes

    async def _write(self, key: str, pieces: AsyncGenerator[bytes]) -> None:
        head = bytearray()
        async for piece in pieces:
            head += piece
            if len(head) >= _PART_BYTES:
                await obstore.put_async(
                    self._store,
                    key,
                    _continued(bytes(head), pieces),
                    use_multipart=True,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE_MAX,
                )
                return
        # One request instead of three, and nothing that could stay behind half-done.
        await obstore.put_async(self._store, key, bytes(head), use_multipart=False)

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        with _translated():
            if end is None:
                found = await obstore.get_async(
                    self._store, key, options={"range": {"offset": start}} if start else None
                )
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


async def _continued(head: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield head
    async for piece in rest:
        yield piece


class _Source:
    """Counts the bytes on their way into the store, and remembers what their reader raised: the store wraps
    some errors.
    """

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


def s3_objects(
    *,
    bucket: str,
    prefix: str | None,
    region: str | None,
    endpoint: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    stalled_after_s: float = _STALLED_AFTER_S,
) -> ObstoreObjects:
    """A bucket. What is None comes from the AWS_* variables and the machine's role, as in every AWS client.

    `stalled_after_s`: how long the server may be silent, and the writing of one part may take. A transfer as
    a whole has no limit: a download takes as long as its reader.
    """
    options = {
        "region": region,
        "endpoint": endpoint,
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
        # One key at a time is deleted here, and not every server knows the bulk call.
        "disable_bulk_delete": "true",
    }
    config = {name: value for name, value in options.items() if value is not None}
    client: ClientConfig = {
        "connect_timeout": "5s",
        "read_timeout": timedelta(seconds=stalled_after_s),
        "timeout": "1d",
    }
    if endpoint is not None and endpoint.startswith("http://"):
        client["allow_http"] = True
    return ObstoreObjects(
        S3Store(
            bucket,
            prefix=prefix,
            config=config,  # pyright: ignore[reportArgumentType] - a TypedDict by construction
            client_options=client,
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )
    )
