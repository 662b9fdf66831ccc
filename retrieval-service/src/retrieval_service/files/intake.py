"""Bytes on their way into the object store: counted, hashed and looked at in passing, never held."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass

from retrieval_service.files.errors import FileTooLarge
from retrieval_service.files.types import ZIP_TAIL_BYTES, FileType, TypeCheck, check_docx
from retrieval_service.objects.port import ObjectStore, read_all


@dataclass(frozen=True, slots=True)
class TakenFile:
    """What is stored under `key`, and is a file that can be read."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str


async def take_in(
    store: ObjectStore,
    key: str,
    chunks: AsyncIterable[bytes],
    *,
    filename: str,
    claimed_type: str | None,
    size_max: int,
) -> TakenFile:
    """Store a file. When this raises, nothing of it is left.

    Raises:
        FileTooLarge, TypeRefused; what `chunks` raises; Unavailable.
    """
    check = TypeCheck(filename, claimed_type)
    digest = hashlib.sha256()
    found: list[FileType] = []

    async def watched() -> AsyncGenerator[bytes]:
        size_bytes = 0
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > size_max:
                raise FileTooLarge(size_max)
            check.feed(chunk)
            digest.update(chunk)
            yield chunk
        found.append(check.finish())

    size_bytes = await store.put(key, watched())
    if found[0].family == "docx":
        try:
            check_docx(await read_all(store, key, start=max(0, size_bytes - ZIP_TAIL_BYTES)))
        except Exception:
            await store.delete(key)
            raise
    return TakenFile(key, found[0].content_type, size_bytes, digest.hexdigest())
