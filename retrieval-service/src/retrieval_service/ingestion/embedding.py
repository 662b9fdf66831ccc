"""Vectors of passages: from the cache, else from the inference-service, waiting for it while it is away."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from shared.auth.principal import Principal
from shared.clients.inference import InferenceClient
from shared.clock import monotonic_s, utc_now
from shared.db import Database
from shared.errors import AppError, NotFound, PaymentRequired, TooManyRequests, Unavailable
from shared.http import UpstreamTimeout

from retrieval_service.ingestion import repository
from retrieval_service.ingestion.errors import IngestionFailed
from retrieval_service.vectors.port import DIMENSIONS, Vector

log = logging.getLogger(__name__)

_PAUSE_S = 0.5
_PAUSE_MAX_S = 30
_TEXTS_MAX = 1024
# A model nobody serves yet: the inference-service looks for models when it starts.
_UNKNOWN_MODEL_WAIT_S = 120
_USE_NOTED_AFTER = timedelta(days=1)
_PURGED_AT_ONCE = 5_000


class Embedder:
    """One per process.

    A request that is not answered within `answer_max_s` is lost, with what was computed for it. From then on
    requests hold half as many texts; they grow again once an answer takes less than a quarter of that time.
    """

    def __init__(
        self,
        database: Database,
        client: InferenceClient,
        *,
        model: str,
        answer_max_s: float,
        wait_max_s: float,
        cache_rows_max: int,
        cache_days: int,
    ) -> None:
        self._database = database
        self._client = client
        self._model = model
        self._answer_max_s = answer_max_s
        self._texts_max = _TEXTS_MAX
        self._wait_max_s = wait_max_s
        self._cache_rows_max = cache_rows_max
        self._cache_days = cache_days

    async def embed(self, principal: Principal, texts: Sequence[str]) -> list[Vector]:
        """Unit vectors in the order of `texts`. Raises: IngestionFailed."""
        hashes = [self._hash(text) for text in texts]
        known = await self._cached(hashes)
        missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in known}
        keys = list(missing)
        while keys:
            rows = await self._ask(principal, [missing[key] for key in keys])
            fresh = {key: _unit(row) for key, row in zip(keys, rows, strict=False)}
            await self._keep(fresh)
            known |= fresh
            keys = keys[len(rows) :]
        return [known[key] for key in hashes]

    async def purge_cache(self) -> None:
        """Hold the cache to its size and age."""
        gone = 1
        while gone:
            async with self._database.transaction() as session:
                gone = await repository.purge(
                    session,
                    unused_since=utc_now() - timedelta(days=self._cache_days),
                    rows_max=self._cache_rows_max,
                    limit=_PURGED_AT_ONCE,
                )

    def _hash(self, text: str) -> bytes:
        return hashlib.sha256(self._model.encode() + b"\x00" + text.encode()).digest()

    async def _cached(self, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        now = utc_now()
        async with self._database.transaction() as session:
            found = await repository.cached(session, hashes=hashes)
            if found:
                await repository.touch(
                    session, hashes=list(found), now=now, unless_since=now - _USE_NOTED_AFTER
                )
        return {
            key: np.frombuffer(raw, dtype="<f4").astype(np.float32)
            for key, raw in found.items()
            if len(raw) == 4 * DIMENSIONS
        }

    async def _keep(self, vectors: dict[bytes, Vector]) -> None:
        raw = {key: vector.astype("<f4").tobytes() for key, vector in vectors.items()}
        async with self._database.transaction() as session:
            await repository.keep(session, model=self._model, vectors=raw, now=utc_now())

    async def _ask(self, principal: Principal, texts: list[str]) -> list[list[float]]:
        """Of the first of `texts`, as many as are answered in time."""
        started_s, pause_s = monotonic_s(), _PAUSE_S
        while True:
            asked, asked_at_s = texts[: self._texts_max], monotonic_s()
            try:
                rows = await self._client.embed(principal, self._model, asked)
            except AppError as error:
                if _timed_out(error):
                    self._texts_max = max(1, len(asked) // 2)
                patience_s = min(_patience_s(error), self._wait_max_s)
                if monotonic_s() - started_s + pause_s > patience_s:
                    raise self._failure(error) from error
                log.info("waiting for the embedding model", extra={"code": error.code, "pause_s": pause_s})
            else:
                if len(rows) != len(asked) or any(len(row) != DIMENSIONS for row in rows):
                    raise IngestionFailed(
                        "embedding_invalid",
                        f"the model {self._model} does not give {DIMENSIONS} numbers a text; ask your "
                        "operator to change it",
                    )
                if monotonic_s() - asked_at_s < self._answer_max_s / 4:
                    self._texts_max = max(self._texts_max, 2 * len(asked))
                return rows
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)

    def _failure(self, error: AppError) -> IngestionFailed:
        match error:
            case PaymentRequired():
                return IngestionFailed("embedding_unpaid", f"{error.detail} - then try this file again")
            case Unavailable() | TooManyRequests():
                return IngestionFailed(
                    "embedding_unavailable",
                    "the embedding model did not answer in time; try this file again later",
                )
            case NotFound():
                return IngestionFailed(
                    "embedding_model_unknown",
                    f"nobody serves the embedding model {self._model}; ask your operator",
                )
            case _:
                return IngestionFailed(
                    "embedding_refused", f"the embedding model refused this file: {error.detail}"
                )


def _timed_out(error: AppError) -> bool:
    """Whether the model was at it when the time was over."""
    cause = error.__cause__
    return isinstance(cause, UpstreamTimeout) and cause.sent


def _patience_s(error: AppError) -> float:
    """How long trying again makes sense."""
    if isinstance(error, Unavailable | TooManyRequests):
        return float("inf")
    return _UNKNOWN_MODEL_WAIT_S if isinstance(error, NotFound) else 0


def _unit(row: Sequence[float]) -> Vector:
    vector = np.asarray(row, dtype=np.float32)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise IngestionFailed(
            "embedding_invalid", "the embedding model gave a vector that points nowhere; try this file again"
        )
    return vector / np.float32(length)
