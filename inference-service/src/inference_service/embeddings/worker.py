"""Runs the embed worker: started when first needed, stopped when idle, started again after a crash."""

import asyncio
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path

from shared.background import Periodic
from shared.errors import Unavailable

from inference_service.embed_worker.frames import FRAME_BYTES_MAX, LENGTH, EmbedReply, EmbedRequest, decode_reply, encode_request

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 120.0
# As many as the encoder runs together: a question waits for no more than these, whoever has a document read meanwhile.
_BATCH_TEXTS_MAX = 32
# Their tokens are compared too, which takes longer.
_BATCH_DOCUMENTS_MAX = 16
_QUEUE_MAX = 256
_IDLE_CHECK_S = 5.0


class EmbeddingsUnavailable(Unavailable):
    """The worker cannot start or died twice over one batch."""

    code = "embeddings_unavailable"


class WorkerDiedError(Exception):
    """The worker closed its pipe in the middle of a batch."""


class EmbedWorker:
    """One worker process; batches go through it one after another, which is all that its cores can do anyway."""

    def __init__(self, folder: Path, *, threads: int, idle_s: float) -> None:
        self._folder = folder
        self._threads = threads
        self._idle_s = idle_s
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._next_id = 0
        self._used_at_s = 0.0
        self._idle_watch = Periodic("embed worker idle watch", min(_IDLE_CHECK_S, idle_s), self._stop_when_idle)

    @property
    def pid(self) -> int | None:
        """Of the running worker, for operators and tests."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self) -> None:
        """Begin watching for idleness; the process itself starts with the first text."""
        self._idle_watch.start()

    async def close(self) -> None:
        await self._idle_watch.close()
        await self._stop()

    def missing_file(self) -> Path | None:
        """The first file of the model that is not there."""
        files = (self._folder / name for name in ("model.safetensors", "tokenizer.json"))
        return next((file for file in files if not file.is_file()), None)

    async def embed(self, texts: list[str]) -> EmbedReply:
        """Vectors in the order of `texts`. Raises: EmbeddingsUnavailable."""
        parts = await self._batches(texts, _BATCH_TEXTS_MAX, None)
        tokens = [count for part in parts for count in part.tokens]
        return EmbedReply(id=0, dimensions=parts[0].dimensions, tokens=tokens, vectors=b"".join(part.vectors for part in parts))

    async def rerank(self, query: str, documents: list[str]) -> EmbedReply:
        """One score per document in their order; tokens of the query first. Raises: EmbeddingsUnavailable."""
        parts = await self._batches(documents, _BATCH_DOCUMENTS_MAX, query)
        tokens = parts[0].tokens[:1] + [count for part in parts for count in part.tokens[1:]]
        return EmbedReply(id=0, dimensions=1, tokens=tokens, vectors=b"".join(part.vectors for part in parts))

    async def _batches(self, texts: list[str], size: int, query: str | None) -> list[EmbedReply]:
        if self._waiting >= _QUEUE_MAX:
            raise EmbeddingsUnavailable("too many texts are waiting to be embedded; send fewer at once or try again")
        self._waiting += 1
        try:
            return [await self._batch(texts[at : at + size], query) for at in range(0, len(texts), size)]
        finally:
            self._waiting -= 1

    async def _batch(self, texts: list[str], query: str | None) -> EmbedReply:
        # The lock is taken per batch, so that a long list does not keep short ones waiting.
        async with self._turn:
            for attempt in (1, 2):
                try:
                    reply = await self._exchange(texts, query)
                    break
                except WorkerDiedError:
                    log.warning("embed worker died", extra={"attempt": attempt})
            else:
                raise EmbeddingsUnavailable("the embed worker died twice over the same texts; see the log of the inference-service")
        if reply.error is not None:
            raise EmbeddingsUnavailable(f"the embed worker failed: {reply.error}")
        return reply

    async def _exchange(self, texts: list[str], query: str | None) -> EmbedReply:
        process = await self._running()
        if process.stdin is None:
            raise WorkerDiedError
        self._next_id += 1
        request = EmbedRequest(id=self._next_id, texts=texts, query=query)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                process.stdin.write(encode_request(request))
                await process.stdin.drain()
                reply = await self._read(process)
        except (WorkerDiedError, ConnectionError):
            await self._stop()
            raise WorkerDiedError from None
        except TimeoutError:
            await self._stop()
            raise EmbeddingsUnavailable("the embed worker took too long; send fewer or shorter texts") from None
        except BaseException:
            # Cancelled between question and answer: the answer still to come would be taken for the next one's.
            await asyncio.shield(self._stop())
            raise
        self._used_at_s = time.monotonic()
        return reply

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and process.returncode is None:
            return process
        if (missing := self.missing_file()) is not None:
            raise EmbeddingsUnavailable(f"{missing.name} is missing in EMBEDDING_MODEL_PATH; `make run` fetches it")
        command = (sys.executable, "-m", "inference_service.embed_worker", str(self._folder), str(self._threads))
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        self._process = process
        self._used_at_s = time.monotonic()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._read(process)
        except BaseException as error:
            await asyncio.shield(self._stop())
            if isinstance(error, TimeoutError | WorkerDiedError):
                raise EmbeddingsUnavailable("the embed worker does not start; see the log of the inference-service") from error
            raise
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> EmbedReply:
        if process.stdout is None:
            raise WorkerDiedError
        try:
            (size_bytes,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
            if size_bytes > FRAME_BYTES_MAX:
                raise WorkerDiedError
            return decode_reply(await process.stdout.readexactly(size_bytes))
        except asyncio.IncompleteReadError:
            raise WorkerDiedError from None

    async def _stop_when_idle(self) -> None:
        if self.pid is None or self._turn.locked() or time.monotonic() - self._used_at_s < self._idle_s:
            return
        async with self._turn:
            await self._stop()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
