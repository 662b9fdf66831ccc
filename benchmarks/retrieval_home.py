"""Puts documents into a platform as their ingestion would have left them: rows, passages, points. Embedding
is the real worker's.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
from atrium_local.catalogue import EMBEDDING_MODEL, model_named
from atrium_local.settings import LocalSettings
from atrium_local.weights import Store, ensure_model, link_model
from inference_service.embed_worker.client import EmbedWorker
from retrieval_service.parsing.blocks import Block, DocumentText, clean
from retrieval_service.parsing.splitter import Splitter
from retrieval_service.parsing.tokens import token_counter
from retrieval_service.vectors.adapters.edge import EdgeStore
from retrieval_service.vectors.port import DIMENSIONS, Point, Scope, Selection, Vector
from shared.ids import uuid7

from benchmarks.retrieval_data import cache_folder

_CHUNK_TOKENS, _OVERLAP_TOKENS = 200, 40  # the defaults of the service
_BATCH = 256
_FILE_COLUMNS = (
    "id organisation_id team_id user_id principal filename content_type size_bytes sha256 s3_key "
    "collection stage created_at updated_at"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose documents they are."""

    user_id: UUID
    organisation_id: UUID
    team_id: UUID


@dataclass(slots=True)
class Corpus:
    """A knowledge base to be: passages by file, with their vectors."""

    name: str
    texts: list[list[str]]
    vectors: np.ndarray  # [passages, DIMENSIONS], in the order of the texts
    id: UUID
    file_ids: list[UUID]
    chunk_ids: list[UUID]

    @classmethod
    def of(cls, name: str, texts: list[list[str]], vectors: np.ndarray) -> "Corpus":
        total = sum(map(len, texts))
        return cls(name, texts, vectors, uuid7(), [uuid7() for _ in texts], [uuid7() for _ in range(total)])

    @property
    def collection(self) -> str:
        return f"kb-{self.id}"


def model_folder() -> Path:
    """The embedding model, fetched when it is not in the cache."""
    folder = cache_folder() / "model"
    link_model(
        ensure_model(
            Store.of(LocalSettings()), model_named(EMBEDDING_MODEL), report=lambda _done, _total: None
        ),
        folder,
    )
    return folder


def passages(documents: Sequence[str]) -> list[list[str]]:
    """Each document cut as the service cuts it."""
    splitter = Splitter(
        token_counter(model_folder() / "tokenizer.json"),
        tokens_max=_CHUNK_TOKENS,
        overlap_tokens=_OVERLAP_TOKENS,
    )
    found: list[list[str]] = []
    for document in documents:
        text = DocumentText(10_000_000)
        text.add(Block(clean(document)))
        found.append(
            [text.text[piece.start : piece.end] for piece in splitter.split(text.text, text.sections)]
        )
    return found


async def embed(texts: list[str]) -> np.ndarray:
    """By the service's own worker, kept in the cache."""
    digest = hashlib.sha256("\x00".join(texts).encode()).hexdigest()
    path = cache_folder() / f"vectors-{digest}.npy"
    if path.exists():
        return np.load(path)
    worker = EmbedWorker(model_folder(), threads=2, idle_s=600)
    try:
        parts = [
            (await worker.embed(texts[at : at + _BATCH], owner=None, priority="background")).vectors
            for at in range(0, len(texts), _BATCH)
        ]
    finally:
        await worker.close()
    vectors = np.frombuffer(b"".join(parts), dtype="<f4").reshape(len(texts), DIMENSIONS)
    np.save(path, vectors)
    return vectors


async def fill_store(folder: Path, owner: Owner, corpora: Sequence[Corpus]) -> None:
    """The service must not run."""
    store = EdgeStore(folder)
    await store.open()
    for corpus in corpora:
        points = _points(owner, corpus)
        for at in range(0, len(points), _BATCH):
            await store.upsert(points[at : at + _BATCH])
    await store.close()


def _points(owner: Owner, corpus: Corpus) -> list[Point]:
    rows = [
        (file_id, text)
        for file_id, texts in zip(corpus.file_ids, corpus.texts, strict=True)
        for text in texts
    ]
    vectors: list[Vector] = list(corpus.vectors)
    return [
        Point(chunk_id, corpus.collection, owner.organisation_id, file_id, text, vector)
        for chunk_id, (file_id, text), vector in zip(corpus.chunk_ids, rows, vectors, strict=True)
    ]


async def fill_database(url: str, owner: Owner, corpora: Sequence[Corpus]) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": "retrieval"})
    try:
        for corpus in corpora:
            await _fill(connection, owner, corpus, datetime.now(UTC))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _fill(connection: asyncpg.Connection, owner: Owner, corpus: Corpus, now: datetime) -> None:
    base = (corpus.id, owner.organisation_id, owner.user_id, corpus.name, "", "private", now, now)
    await connection.execute("INSERT INTO knowledge_base VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", *base)
    files = [
        (file_id, owner.organisation_id, owner.team_id, owner.user_id, "{}", f"{number}.txt", "text/plain", 1,
        "",
         f"files/{file_id}", corpus.collection, "ready", now, now)
        for number, file_id in enumerate(corpus.file_ids)
    ]  # fmt: skip
    await connection.copy_records_to_table("file", records=files, columns=_FILE_COLUMNS.split())
    links = [(corpus.id, file_id, now) for file_id in corpus.file_ids]
    await connection.copy_records_to_table("knowledge_base_file", records=links)
    chunk_ids = iter(corpus.chunk_ids)
    chunks = [
        (
            next(chunk_ids),
            file_id,
            ordinal,
            text,
            None,
            None,
            ordinal * 10_000,
            ordinal * 10_000 + len(text),
            _CHUNK_TOKENS,
        )
        for file_id, texts in zip(corpus.file_ids, corpus.texts, strict=True)
        for ordinal, text in enumerate(texts)
    ]
    await connection.copy_records_to_table("chunk", records=chunks)


async def index_recall(
    folder: Path, owner: Owner, corpus: Corpus, queries: np.ndarray, depth: int
) -> tuple[float, float]:
    """Share of the exact nearest that the store finds, and its median milliseconds a search. The service must
    not run.
    """
    store = EdgeStore(folder)
    await store.open()
    scope = Scope(owner.organisation_id, (Selection(corpus.collection, frozenset(corpus.file_ids)),))
    exact = np.argsort(-(queries @ corpus.vectors.T), axis=1)[:, :depth]
    loop, shares, took = asyncio.get_running_loop(), list[float](), list[float]()
    for query, nearest in zip(queries, exact, strict=True):
        started = loop.time()
        found = {scored.id for scored in await store.search_dense(scope, query, depth)}
        took.append((loop.time() - started) * 1000)
        shares.append(len(found & {corpus.chunk_ids[index] for index in nearest}) / depth)
    await store.close()
    return float(np.mean(shares)), float(np.median(took))
