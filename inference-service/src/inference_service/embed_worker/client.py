"""Runs the embed worker: started when first needed, stopped when idle, started again after a crash."""

import asyncio
import logging
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from shared.background import Periodic
from shared.errors import TooManyRequests, Unavailable
from shared.fair_queue import FairQueue, Priority, QueueFullError

from inference_service.embed_worker.frames import (
    FRAME_BYTES_MAX,
    LENGTH,
    EmbedReply,
    EmbedRequest,
    decode_reply,
    encode_request,
)

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 120.0
# Of one turn: about 0.1 s of a core. A question waits for no more than that, whoever has documents read
# meanwhile.
_TURN_TOKENS_MAX = 512
_TURN_TEXTS_MAX = 32
_TEXT_TOKENS_MAX = 256  # what the model reads of a text
_BYTES_PER_TOKEN_MIN = 3
_REQUESTS_MAX = 512
_REQUESTS_PER_OWNER_MAX = 64
_FLOAT_BYTES = 4
_IDLE_CHECK_S = 5.0


class EmbeddingsUnavailable(Unavailable):
    """The worker cannot start or died twice over one batch."""

    code = "embeddings_unavailable"


class TooManyEmbeddings(TooManyRequests):
    """One caller has enough waiting."""

    code = "too_many_embeddings"


class WorkerDiedError(Exception):
    """The worker closed its pipe in the middle of a batch."""


class EmbedWorker:
    """One worker process; small batches go through it one after another, which is all that its cores can do
    anyway, in fair turns.
    """

    def __init__(self, folder: Path, *, threads: int, idle_s: float) -> None:
        self._folder = folder
        self._threads = threads
        self._idle_s = idle_s
        self._process: asyncio.subprocess.Process | None = None
        self._queue = FairQueue[UUID | None](
            places_max=_REQUESTS_MAX, places_per_owner_max=_REQUESTS_PER_OWNER_MAX
        )
        self._next_id = 0
        self._used_at_s = 0.0
        self._idle_watch = Periodic(
            "embed worker idle watch", min(_IDLE_CHECK_S, idle_s), self._stop_when_idle
        )

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

    async def embed(self, texts: list[str], *, owner: UUID | None, priority: Priority) -> EmbedReply:
        """Vectors in the order of `texts`. Raises: EmbeddingsUnavailable, TooManyEmbeddings."""
        turns, parts = turns_of(texts), list[EmbedReply]()
        with self._place(owner):
            for turn in turns:
                parts.append(
                    await self._batch([texts[index] for index in turn], None, owner=owner, priority=priority)
                )
        return _in_order(turns, parts)

    async def rerank(
        self, query: str, documents: list[str], *, owner: UUID | None, priority: Priority
    ) -> EmbedReply:
        """One score per document in their order; tokens of the query first. Raises: EmbeddingsUnavailable,
        TooManyEmbeddings.
        """
        turns, parts, query_tokens = turns_of(documents), list[EmbedReply](), 0
        with self._place(owner):
            for turn in turns:
                part = await self._batch(
                    [documents[index] for index in turn], query, owner=owner, priority=priority
                )
                query_tokens = part.tokens[0]
                parts.append(replace(part, tokens=part.tokens[1:]))
        reply = _in_order(turns, parts)
        return replace(reply, tokens=[query_tokens, *reply.tokens])

    @contextmanager
    def _place(self, owner: UUID | None) -> Generator[None]:
        try:
            with self._queue.place(owner):
                yield
        except QueueFullError as error:
            if error.own:
                text = (
                    f"{_REQUESTS_PER_OWNER_MAX} of your requests to the embedding model are waiting; send "
                    "more when some are answered"
                )
                raise TooManyEmbeddings(text, retry_after_s=2) from None
            raise EmbeddingsUnavailable(
                "too many texts are waiting to be embedded; try again shortly"
            ) from None

    async def _batch(
        self, texts: list[str], query: str | None, *, owner: UUID | None, priority: Priority
    ) -> EmbedReply:
        # A turn per batch, so that a long list does not keep short ones waiting.
        async with self._queue.turn(owner, priority):
            for attempt in (1, 2):
                try:
                    reply = await self._exchange(texts, query)
                    break
                except WorkerDiedError:
                    log.warning("embed worker died", extra={"attempt": attempt})
            else:
                raise EmbeddingsUnavailable(
                    "the embed worker died twice over the same texts; see the log of the inference-service"
                )
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
            raise EmbeddingsUnavailable(
                "the embed worker took too long; send fewer or shorter texts"
            ) from None
        except BaseException:
            # Cancelled between question and answer: the answer still to come would be taken for the next
            # one's.
            await asyncio.shield(self._stop())
            raise
        self._used_at_s = time.monotonic()
        return reply

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and process.returncode is None:
            return process
        if (missing := self.missing_file()) is not None:
            raise EmbeddingsUnavailable(
                f"{missing.name} is missing in EMBEDDING_MODEL_PATH; `make run` fetches it"
            )
        command = (
            sys.executable,
            "-m",
            "inference_service.embed_worker",
            str(self._folder),
            str(self._threads),
        )
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._process = process
        self._used_at_s = time.monotonic()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._read(process)
        except BaseException as error:
            await asyncio.shield(self._stop())
            if isinstance(error, TimeoutError | WorkerDiedError):
                raise EmbeddingsUnavailable(
                    "the embed worker does not start; see the log of the inference-service"
                ) from error
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
        if self.pid is None or not self._queue.idle or time.monotonic() - self._used_at_s < self._idle_s:
            return
        async with self._queue.turn(None, "background"):
            await self._stop()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def turns_of(texts: Sequence[str]) -> list[list[int]]:
    """Indexes of the texts of each turn, short texts first: those of similar length are read together."""
    sizes = [
        min(len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN_MIN + 2, _TEXT_TOKENS_MAX)
        for text in texts
    ]
    turns: list[list[int]] = []
    room = 0
    for index in sorted(range(len(texts)), key=sizes.__getitem__):
        if sizes[index] > room or len(turns[-1]) == _TURN_TEXTS_MAX:
            turns.append([])
            room = _TURN_TOKENS_MAX
        turns[-1].append(index)
        room -= sizes[index]
    return turns


def _in_order(turns: list[list[int]], parts: list[EmbedReply]) -> EmbedReply:
    """What the turns gave, as if the texts had been read at once."""
    size_bytes = parts[0].dimensions * _FLOAT_BYTES
    count = sum(map(len, turns))
    tokens, vectors = [0] * count, [b""] * count
    for turn, part in zip(turns, parts, strict=True):
        for place, index in enumerate(turn):
            tokens[index] = part.tokens[place]
            vectors[index] = part.vectors[place * size_bytes : (place + 1) * size_bytes]
    return EmbedReply(id=0, dimensions=parts[0].dimensions, tokens=tokens, vectors=b"".join(vectors))
