"""The first half of an ingestion: the object becomes passages in SQL."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.clock import monotonic_s
from shared.db import Database

from retrieval_service.chunks import service as chunks
from retrieval_service.files import progress
from retrieval_service.files.progress import FileWork
from retrieval_service.ingestion.errors import IngestionFailed, Unwanted
from retrieval_service.ingestion.watch import Watch
from retrieval_service.objects.port import ObjectMissing, ObjectStore
from retrieval_service.parsing import errors
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.formats import format_of
from retrieval_service.parsing.frames import Chunks, Done, Progress, TextChunk
from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.process import parse
from retrieval_service.settings import RetrievalSettings

_TOKENIZER_LOOK_S = 1.0
# What reading takes at most, with much to spare: 2.5 s for a million characters without a blank, 10 s for a
# PDF of 2,000 pages.
_CPU_BASE_S = 30
_CPU_S_PER_MB = 10
_WALL_PER_CPU = 4


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a document turned out to be."""

    pages: int | None
    chunks: int


class DocumentReader:
    """One per process. Reading a file again replaces what an earlier, cut reading of it wrote."""

    def __init__(self, database: Database, objects: ObjectStore, settings: RetrievalSettings) -> None:
        self._database = database
        self._objects = objects
        self._settings = settings
        self._folder = settings.atrium_home / "data" / "reading"

    async def read(self, work: FileWork) -> ReadDocument:
        """Raises: IngestionFailed, Unwanted."""
        watch = Watch(self._database, work.id, work.attempt, stage="parsing")
        try:
            return await watch.during(lambda: self._read(work, watch))
        except DocumentRefused as refusal:
            raise IngestionFailed(refusal.code, refusal.detail) from refusal
        except ObjectMissing as error:
            raise IngestionFailed(
                "content_missing", "the content of this file is gone from the object store; upload it again"
            ) from error

    async def _read(self, work: FileWork, watch: Watch) -> ReadDocument:
        self._check_size(work)
        tokenizer = await self._tokenizer()
        async with self._database.transaction() as session:
            await chunks.remove(session, work.id)
        async with self._downloaded(work) as file:
            job = ParseJob(
                path=f"/dev/fd/{file.fileno()}",
                content_type=work.content_type,
                filename=work.filename,
                tokenizer_path=str(tokenizer),
                chunk_tokens_max=self._settings.chunk_tokens_max,
                chunk_overlap_tokens=self._settings.chunk_overlap_tokens,
                limits=self._limits(work.size_bytes),
                confined=self._settings.parser_confinement == "full",
            )
            return await self._store(work, watch, job, fd=file.fileno())

    async def _store(self, work: FileWork, watch: Watch, job: ParseJob, *, fd: int) -> ReadDocument:
        count = 0
        async with aclosing(parse(job, fd=fd, wall_s_max=self._wall_s_max(job.limits.cpu_s_max))) as frames:
            async for frame in frames:
                match frame:
                    case Progress():
                        watch.done, watch.total, watch.unit = frame.done, frame.total, "pages"
                    case Chunks():
                        await self._add(work, count, frame.chunks)
                        count += len(frame.chunks)
                        if watch.unit == "chunks":
                            watch.done = count
                    case Done():
                        return ReadDocument(frame.pages, count)
        raise errors.broken("file")

    async def _add(self, work: FileWork, first: int, texts: tuple[TextChunk, ...]) -> None:
        async with self._database.transaction() as session:
            if await progress.wanted(session, work.id, work.attempt) is None:
                raise Unwanted
            await chunks.add(session, work.id, first, texts)

    def _check_size(self, work: FileWork) -> None:
        """A file that its reader would refuse for its size is not even fetched. Raises: DocumentRefused."""
        kind = format_of(work.content_type, work.filename)
        if kind not in ("pdf", "docx") and work.size_bytes > self._settings.parser_text_bytes_max:
            raise errors.too_large("text", self._settings.parser_text_bytes_max)

    async def _tokenizer(self) -> Path:
        """Waits while it is being fetched. Raises: IngestionFailed."""
        folder = self._settings.embedding_model_path
        if folder is None:
            raise IngestionFailed(
                "embedding_model_missing",
                "this installation has no embedding model; ask your operator to set EMBEDDING_MODEL_PATH",
            )
        path = folder / "tokenizer.json"
        deadline_s = monotonic_s() + self._settings.embedding_wait_max_s
        while not await asyncio.to_thread(path.is_file):
            if monotonic_s() > deadline_s:
                raise IngestionFailed(
                    "embedding_model_missing",
                    "the embedding model is not there yet; try this file again later",
                )
            await asyncio.sleep(_TOKENIZER_LOOK_S)
        return path

    @asynccontextmanager
    async def _downloaded(self, work: FileWork) -> AsyncGenerator[IO[bytes]]:
        """The content in a file without a name: whatever ends this process, nothing of it stays behind."""
        file = await asyncio.to_thread(self._nameless)
        with file:
            size_bytes = 0
            async with aclosing(await self._objects.open(work.s3_key)) as pieces:
                async for piece in pieces:
                    size_bytes += len(piece)
                    if size_bytes > work.size_bytes:
                        break
                    await asyncio.to_thread(file.write, piece)
            if size_bytes != work.size_bytes:
                raise IngestionFailed(
                    "content_changed",
                    "the object store holds another content than was uploaded; upload the file again",
                )
            await asyncio.to_thread(file.seek, 0)
            yield file

    def _nameless(self) -> IO[bytes]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder, buffering=0)

    def _wall_s_max(self, cpu_s_max: int) -> float:
        """Of a core that is shared with others."""
        return min(self._settings.parser_wall_s_max, _WALL_PER_CPU * cpu_s_max)

    def _limits(self, size_bytes: int) -> ParseLimits:
        settings = self._settings
        return ParseLimits(
            memory_bytes_max=settings.parser_memory_bytes_max,
            cpu_s_max=cpu_budget_s(size_bytes, settings.parser_cpu_s_max),
            pages_max=settings.parser_pages_max,
            text_bytes_max=settings.parser_text_bytes_max,
            text_chars_max=settings.parser_text_chars_max,
            unpacked_bytes_max=settings.parser_unpacked_bytes_max,
            chunks_max=settings.chunks_max,
        )


def cpu_budget_s(size_bytes: int, cpu_s_max: int) -> int:
    """Seconds of a core that a file of this size may take: a small one that takes long is built to."""
    return min(cpu_s_max, _CPU_BASE_S + _CPU_S_PER_MB * size_bytes // 1_000_000)
