"""Vectors in Chroma, embedded or on a server: one of its collections for each of ours.

Chroma has no BM25. Each passage is stored with its words and their weights as its document, `" 123:1.52
77:0.61 "`, so that Chroma's own full-text filter finds the passages that hold a word, inside the scope; what
they score is added up here.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.errors import NotFoundError

from retrieval_service.vectors.adapters.sparse import document_terms, query_terms
from retrieval_service.vectors.owner import WAIT_S, FolderOwner
from retrieval_service.vectors.port import Point, Scope, Scored, Selection, Vector
from retrieval_service.vectors.thread import StoreThread

_UPSERT_POINTS = 256
_PAGE_ROWS = 5_000
_PAGE_COLLECTIONS = 200
_CANDIDATES_MAX = 20_000  # passages that hold a word of the question, per collection
_QUERY_WORDS_MAX = 32
_INDEX = {"hnsw": {"space": "cosine", "ef_search": 256}}
_Where = dict[str, Any]


class ChromaStore:
    """One thread makes all calls: Chroma's client blocks."""

    def __init__(
        self, connect: Callable[[], ClientAPI], *, folder: Path | None, lock_wait_s: float = WAIT_S
    ) -> None:
        """`folder` is that of an embedded store, None for a server."""
        self._owner = None if folder is None else FolderOwner(folder, wait_s=lock_wait_s)
        self._thread = StoreThread("vectors")
        self._database = _Database(connect)

    async def open(self) -> None:
        """Raises: VectorStoreTakenError."""
        if self._owner is not None:
            await self._owner.acquire()

    async def close(self) -> None:
        self._thread.close()
        if self._owner is not None:
            self._owner.release()

    async def check(self) -> None:
        await self._thread.run(self._database.check)

    async def upsert(self, points: Sequence[Point]) -> None:
        for collection in sorted({point.collection for point in points}):
            mine = [point for point in points if point.collection == collection]
            for at in range(0, len(mine), _UPSERT_POINTS):
                await self._thread.run(self._database.upsert, collection, mine[at : at + _UPSERT_POINTS])

    async def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None:
        if file_ids:
            await self._thread.run(self._database.delete_files, collection, file_ids)

    async def search_dense(self, scope: Scope, vector: Vector, limit: int) -> list[Scored]:
        found: list[Scored] = []
        for selection in scope.selections:
            found += await self._thread.run(self._database.nearest, scope, selection, vector, limit)
        return _best(found, limit)

    async def search_bm25(self, scope: Scope, query: str, limit: int) -> list[Scored]:
        words = query_terms(query).indices[:_QUERY_WORDS_MAX]
        if not words:
            return []
        total, held = 0, list[tuple[UUID, dict[int, float]]]()
        for selection in scope.selections:
            count, part = await self._thread.run(self._database.holding, scope, selection, words)
            total += count
            held += part
        return _best(_scores(words, held, total), limit)

    async def list_files(self) -> dict[tuple[str, UUID], int]:
        return await self._thread.run(self._database.list_files)


class _Database:
    """The blocking half; connects at first use, since importing Chroma takes seconds."""

    def __init__(self, connect: Callable[[], ClientAPI]) -> None:
        self._connect = connect
        self._client: ClientAPI | None = None

    def check(self) -> None:
        self._opened().heartbeat()

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        rows = self._opened().get_or_create_collection(
            collection, embedding_function=None, configuration=cast("Any", _INDEX)
        )
        rows.upsert(
            ids=[str(point.id) for point in points],
            embeddings=[point.vector for point in points],
            documents=[_written(point.text) for point in points],
            metadatas=[
                {"organisation_id": str(point.organisation_id), "file_id": str(point.file_id)}
                for point in points
            ],
        )

    def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None:
        rows = self._collection(collection)
        if rows is not None:
            rows.delete(where={"file_id": {"$in": [str(file_id) for file_id in file_ids]}})

    def nearest(self, scope: Scope, selection: Selection, vector: Vector, limit: int) -> list[Scored]:
        rows = self._collection(selection.collection)
        where = _where(scope, selection)
        if rows is None or where is None or rows.count() == 0:
            return []
        answer = rows.query(query_embeddings=[vector], n_results=limit, where=where, include=["distances"])
        distances = answer["distances"] or [[]]
        return [
            Scored(UUID(id_), 1.0 - distance)
            for id_, distance in zip(answer["ids"][0], distances[0], strict=True)
        ]

    def holding(
        self, scope: Scope, selection: Selection, words: Sequence[int]
    ) -> tuple[int, list[tuple[UUID, dict[int, float]]]]:
        """How many passages the selection has, and those with any of the words, each with its weights."""
        rows = self._collection(selection.collection)
        where = _where(scope, selection)
        if rows is None or where is None:
            return 0, []
        count = len(rows.get(where=where, include=[])["ids"])
        tests: list[_Where] = [{"$contains": f" {word}:"} for word in words]
        text = tests[0] if len(tests) == 1 else {"$or": tests}
        answer = rows.get(
            where=where, where_document=cast("Any", text), include=["documents"], limit=_CANDIDATES_MAX
        )
        return count, [
            (UUID(id_), _read(text))
            for id_, text in zip(answer["ids"], answer["documents"] or [], strict=True)
        ]

    def list_files(self) -> dict[tuple[str, UUID], int]:
        found = Counter[tuple[str, UUID]]()
        for rows in self._collections():
            for at in range(0, rows.count(), _PAGE_ROWS):
                metadatas = rows.get(limit=_PAGE_ROWS, offset=at, include=["metadatas"])["metadatas"] or []
                found.update((rows.name, UUID(str(metadata["file_id"]))) for metadata in metadatas)
        return dict(found)

    def _collections(self) -> list[Collection]:
        found: list[Collection] = []
        while page := self._opened().list_collections(limit=_PAGE_COLLECTIONS, offset=len(found)):
            found += page
        return found

    def _opened(self) -> ClientAPI:
        self._client = self._client or self._connect()
        return self._client

    def _collection(self, name: str) -> Collection | None:
        try:
            return self._opened().get_collection(name, embedding_function=None)
        except NotFoundError:
            return None


def _where(scope: Scope, selection: Selection) -> _Where | None:
    organisation: _Where = {"organisation_id": str(scope.organisation_id)}
    if selection.file_ids is None:
        return organisation
    if not selection.file_ids:
        return None
    return {"$and": [organisation, {"file_id": {"$in": sorted(map(str, selection.file_ids))}}]}


def _written(text: str) -> str:
    terms = document_terms(text)
    weights = zip(terms.indices, terms.weights, strict=True)
    return f" {' '.join(f'{index}:{weight:.6g}' for index, weight in weights)} "


def _read(document: str) -> dict[int, float]:
    pairs = (entry.partition(":") for entry in document.split())
    return {int(index): float(weight) for index, _, weight in pairs}


def _scores(words: Sequence[int], held: Sequence[tuple[UUID, dict[int, float]]], total: int) -> list[Scored]:
    """BM25 with the rarity of words in the scope, by the formula of Lucene and Qdrant."""
    having = Counter(word for _, weights in held for word in words if word in weights)
    rarity = {word: math.log((total - having[word] + 0.5) / (having[word] + 0.5) + 1) for word in words}
    return [
        Scored(id_, sum(rarity[word] * weights.get(word, 0.0) for word in words)) for id_, weights in held
    ]


def _best(found: Sequence[Scored], limit: int) -> list[Scored]:
    return sorted(found, key=lambda scored: -scored.score)[:limit]
