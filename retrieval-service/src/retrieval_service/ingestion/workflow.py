"""The durable workflow of one attempt at one file: read, embed batch by batch, show to readers.

A step that was cut by a crash runs again, and after an upgrade all of them may, so each first removes or
overwrites what it may have written before. Whether the attempt should go on is read from the file's row in
every step; when it should not, what it wrote is removed and the row says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from shared.db import Database
from shared.durable import DurableEngine, Queue, StepFailedError, step

from retrieval_service.chunks import service as chunks
from retrieval_service.chunks.service import StoredChunk
from retrieval_service.files import progress
from retrieval_service.files.progress import FileWork
from retrieval_service.ingestion.embedding import Embedder
from retrieval_service.ingestion.errors import IngestionFailed, Unwanted
from retrieval_service.ingestion.reading import DocumentReader
from retrieval_service.ingestion.watch import Watch
from retrieval_service.vectors.port import Point, VectorStore

KIND = "ingestion"
# Nothing is put here: it takes what earlier code left waiting in it, and what is taken over from another
# version.
_OLD_QUEUE = "ingestion"
_OLD_QUEUE_POLL_S = 10.0
_ATTEMPTS = 8  # about a minute: a store that is away for longer ends the attempt, not the file
_PAUSE_S = 0.5
_CLOSING_S = 10
_GOES_ON, _FAILED, _UNWANTED = "goes on", "failed", "unwanted"

log = logging.getLogger(__name__)

Outcome = dict[str, Any]
"""What a step leaves for the next process: `end` is one of the three words above."""


class Ingestion:
    """One per process; `register` before the engine is launched."""

    def __init__(
        self,
        database: Database,
        engine: DurableEngine,
        *,
        reader: DocumentReader,
        embedder: Embedder,
        vectors: VectorStore,
        batch_chunks: int,
        concurrency: int,
    ) -> None:
        self._database = database
        self._engine = engine
        self._reader = reader
        self._embedder = embedder
        self._vectors = vectors
        self._batch_chunks = batch_chunks
        self._concurrency = concurrency
        # One more than there are places of any kind: the place for small files. It bounds what continues
        # after a crash as well.
        self._slots = asyncio.Semaphore(concurrency + 1)
        self._running: dict[asyncio.Future[Any], UUID] = {}
        self._closing = False
        self.when_ended: Callable[[], None] = _nothing

    def register(self) -> None:
        self._engine.register(KIND, self._run)
        self._engine.add_queue(Queue(_OLD_QUEUE, self._concurrency, poll_s=_OLD_QUEUE_POLL_S))

    async def begin(self, file_id: UUID, attempt: int) -> None:
        """Start the workflow of this attempt; doing it twice starts one."""
        argument = {"file_id": str(file_id), "attempt": attempt}
        running = await self._engine.start(KIND, argument, workflow_id=workflow_id(file_id, attempt))
        if running is not None:
            self._note_running(running, file_id)

    def running(self) -> frozenset[UUID]:
        """The files that this process has begun, or continues, and that have not ended."""
        return frozenset(self._running.values())

    async def close(self) -> None:
        """Let go of what runs, before the engine and the stores close: it is left unfinished, and continues
        at the next start.
        """
        self._closing = True
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CLOSING_S)

    async def give_up(self, file_id: UUID, attempt: int, *, code: str, detail: str) -> None:
        """End an attempt that no workflow works on, as its workflow would have."""
        await self._end(file_id, attempt, {"end": _FAILED, "code": code, "detail": detail})

    async def _run(self, argument: Any) -> None:
        if self._closing:
            raise asyncio.CancelledError
        file_id = UUID(argument["file_id"])
        task = asyncio.current_task()
        if task is not None:
            # What continues after a crash was begun by nobody here.
            self._note_running(task, file_id)
        async with self._slots:
            await self._work(file_id, int(argument["attempt"]))

    def _note_running(self, running: asyncio.Future[Any], file_id: UUID) -> None:
        self._running[running] = file_id
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Future[Any]) -> None:
        del self._running[running]
        self.when_ended()

    async def _work(self, file_id: UUID, attempt: int) -> None:
        try:
            outcome = await self._ingest(file_id, attempt)
        except Exception as error:
            # The edge of the workflow: whatever broke, the file must say so, and its owner can try again.
            kind = error.kind if isinstance(error, StepFailedError) else type(error).__name__
            log.exception(
                "an ingestion broke", extra={"file_id": str(file_id), "attempt": attempt, "error": kind}
            )
            outcome = {
                "end": _FAILED,
                "code": "internal_error",
                "detail": (
                    "reading this file broke off; try it again, and ask your operator if that does not help"
                ),
            }
        if outcome["end"] != _GOES_ON:
            await step(
                "end", lambda: self._end(file_id, attempt, outcome), attempts=_ATTEMPTS, pause_s=_PAUSE_S
            )

    async def _ingest(self, file_id: UUID, attempt: int) -> Outcome:
        read = await step(
            "read", lambda: _told(lambda: self._read(file_id, attempt)), attempts=_ATTEMPTS, pause_s=_PAUSE_S
        )
        if read["end"] != _GOES_ON:
            return read
        total: int = read["chunks"]
        for first in range(0, total, self._batch_of(read)):
            embedded = await step(
                f"embed {first}",
                lambda first=first: _told(lambda: self._embed(file_id, attempt, first, read)),
                attempts=_ATTEMPTS,
                pause_s=_PAUSE_S,
            )
            if embedded["end"] != _GOES_ON:
                return embedded
        return await step(
            "finish",
            lambda: _told(lambda: self._finish(file_id, attempt, read)),
            attempts=_ATTEMPTS,
            pause_s=_PAUSE_S,
        )

    @staticmethod
    def _batch_of(read: Outcome) -> int:
        # As it was when the file was read: with another setting, a workflow that continues would take its
        # recorded steps for others.
        return read["batch_chunks"]

    async def _read(self, file_id: UUID, attempt: int) -> Outcome:
        async with self._database.transaction() as session:
            work = await progress.claim(session, file_id, attempt)
        if work is None:
            raise Unwanted
        await self._vectors.delete_files(work.collection, [work.id])
        read = await self._reader.read(work)
        return {"pages": read.pages, "chunks": read.chunks, "batch_chunks": self._batch_chunks}

    async def _embed(self, file_id: UUID, attempt: int, first: int, read: Outcome) -> Outcome:
        async with self._database.transaction() as session:
            work = await progress.wanted(session, file_id, attempt)
            batch = await chunks.stretch(session, file_id, first=first, limit=self._batch_of(read))
        if work is None:
            raise Unwanted
        watch = Watch(self._database, file_id, attempt, stage="embedding")
        watch.done, watch.total = first, read["chunks"]
        points = await watch.during(lambda: self._points(work, batch))
        await self._vectors.upsert(points)
        async with self._database.transaction() as session:
            done = min(first + len(batch), read["chunks"])
            if not await progress.advance(
                session,
                file_id,
                attempt,
                stage="embedding",
                done=done,
                total=read["chunks"],
                unit="chunks",
                page_count=read["pages"],
            ):
                raise Unwanted
        return {}

    async def _points(self, work: FileWork, batch: list[StoredChunk]) -> list[Point]:
        texts = [chunk.search_text for chunk in batch]
        vectors = await self._embedder.embed(work.principal, texts)
        return [
            Point(
                id=chunk.id,
                collection=work.collection,
                organisation_id=work.organisation_id,
                file_id=work.id,
                text=text,
                vector=vector,
            )
            for chunk, text, vector in zip(batch, texts, vectors, strict=True)
        ]

    async def _finish(self, file_id: UUID, attempt: int, read: Outcome) -> Outcome:
        async with self._database.transaction() as session:
            totals = await chunks.totals(session, file_id)
            shown = await progress.finish(
                session,
                file_id,
                attempt,
                page_count=read["pages"],
                chunk_count=totals.chunks,
                token_count=totals.tokens,
                first_point_id=totals.first_id,
            )
        if not shown:
            raise Unwanted
        return {}

    async def _end(self, file_id: UUID, attempt: int, outcome: Outcome) -> None:
        """Remove what the attempt wrote, then say how it ended: in this order, so that the next attempt finds
        nothing of this one.
        """
        async with self._database.transaction() as session:
            work = await progress.begun(session, file_id, attempt)
        if work is not None:
            await self.remove(work.collection, file_id)
        async with self._database.transaction() as session:
            if outcome["end"] == _FAILED and await progress.fail(
                session, file_id, attempt, code=outcome["code"], detail=outcome["detail"]
            ):
                return
            await progress.acknowledge(session, file_id, attempt)

    async def remove(self, collection: str, file_id: UUID) -> None:
        """Every vector and passage of a file; removing what is gone is no error."""
        await self._vectors.delete_files(collection, [file_id])
        async with self._database.transaction() as session:
            await chunks.remove(session, file_id)


def _nothing() -> None:
    """Until somebody wants to know."""


def workflow_id(file_id: UUID, attempt: int) -> str:
    return f"ingest-{file_id}-{attempt}"


async def _told(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The ends that are no accident are results: they are recorded, and not tried again."""
    try:
        return {"end": _GOES_ON, **await work()}
    except Unwanted:
        return {"end": _UNWANTED}
    except IngestionFailed as failure:
        return {"end": _FAILED, "code": failure.code, "detail": failure.detail}
