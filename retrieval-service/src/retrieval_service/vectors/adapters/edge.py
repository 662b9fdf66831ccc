"""Vectors in a folder that this process owns, by qdrant-edge. Why and how far:
docs/decisions/0011-vector-stores.md.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FacetRequest,
    FieldCondition,
    Filter,
    IdfParams,
    KeywordIndexParams,
    MatchAny,
    Modifier,
    Query,
    QueryRequest,
    SearchParams,
    SparseVector,
    UpdateOperation,
    UuidIndexParams,
)
from qdrant_edge import Point as EdgePoint

from retrieval_service.vectors.adapters.places import (
    BM25,
    COLLECTION,
    DENSE,
    FILE,
    PART,
    WHOLE,
    payload,
    wanted,
)
from retrieval_service.vectors.adapters.sparse import document_terms, query_terms
from retrieval_service.vectors.owner import WAIT_S, FolderOwner
from retrieval_service.vectors.port import DIMENSIONS, Point, Scope, Scored, Vector
from retrieval_service.vectors.thread import StoreThread

# The library keeps the interpreter lock during a call, so the event loop waits as well: 64 points are about
# 10 ms.
_UPSERT_POINTS = 64
_FACETS_MAX = 1_000_000


class EdgeStore:
    """One shard for everything, used by one thread. It is never optimised while it serves: exact search needs
    no index.
    """

    def __init__(self, folder: Path, *, lock_wait_s: float = WAIT_S) -> None:
        self._owner = FolderOwner(folder, wait_s=lock_wait_s)
        self._thread = StoreThread("vectors")
        self._shard = _Shard(folder / "shard")

    async def open(self) -> None:
        """Raises: VectorStoreTakenError; VectorStoreUnavailable when what is on disk cannot be read."""
        # First the lock: a second process that merely opens a shard leaves it unreadable, although it is
        # refused.
        await self._owner.acquire()
        await self._thread.run(self._shard.open)

    async def close(self) -> None:
        await self._thread.run(self._shard.close)
        self._thread.close()
        self._owner.release()

    async def check(self) -> None:
        """An embedded store that could be opened is there."""

    async def upsert(self, points: Sequence[Point]) -> None:
        for at in range(0, len(points), _UPSERT_POINTS):
            await self._thread.run(self._shard.upsert, points[at : at + _UPSERT_POINTS])
        await self._thread.run(self._shard.flush)

    async def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None:
        if file_ids:
            await self._thread.run(self._shard.delete_files, collection, file_ids)

    async def search_dense(self, scope: Scope, vector: Vector, limit: int) -> list[Scored]:
        return await self._thread.run(self._shard.search_dense, scope, vector, limit)

    async def search_bm25(self, scope: Scope, query: str, limit: int) -> list[Scored]:
        return await self._thread.run(self._shard.search_bm25, scope, query, limit)

    async def list_files(self) -> dict[tuple[str, UUID], int]:
        return await self._thread.run(self._shard.list_files)


class _Shard:
    """The blocking half. There is no shard before the first passage: an unused store costs nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shard: EdgeShard | None = None

    def open(self) -> None:
        if self._path.exists():
            self._shard = EdgeShard.load(str(self._path))

    def close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def flush(self) -> None:
        if self._shard is not None:
            self._shard.flush()

    def upsert(self, points: Sequence[Point]) -> None:
        shard = self._shard = self._shard or _created(self._path)
        shard.update(UpdateOperation.upsert_points([_edge_point(point) for point in points]))

    def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None:
        if self._shard is None:
            return
        gone = Filter(must=[_any(COLLECTION, [collection]), _any(FILE, map(str, file_ids))])
        self._shard.update(UpdateOperation.delete_points_by_filter(gone))
        self._shard.flush()

    def search_dense(self, scope: Scope, vector: Vector, limit: int) -> list[Scored]:
        within = _filter(scope)
        if self._shard is None or within is None:
            return []
        nearest = Query.Nearest(vector.tolist(), using=DENSE)
        return _found(
            self._shard,
            QueryRequest(limit=limit, query=nearest, filter=within, params=SearchParams(exact=True)),
        )

    def search_bm25(self, scope: Scope, query: str, limit: int) -> list[Scored]:
        within, terms = _filter(scope), query_terms(query)
        if self._shard is None or within is None or not terms.indices:
            return []
        sparse = Query.Nearest(SparseVector(terms.indices, terms.weights), using=BM25)
        # How rare a word is counts within the scope: what others have written must not show in anyone's
        # ranking.
        params = SearchParams(idf=IdfParams(corpus=within))
        return _found(self._shard, QueryRequest(limit=limit, query=sparse, filter=within, params=params))

    def list_files(self) -> dict[tuple[str, UUID], int]:
        if self._shard is None:
            return {}
        found: dict[tuple[str, UUID], int] = {}
        for collection in self._shard.facet(FacetRequest(COLLECTION, limit=_FACETS_MAX, exact=True)).hits:
            within = Filter(must=[_any(COLLECTION, [str(collection.value)])])
            for file in self._shard.facet(
                FacetRequest(FILE, limit=_FACETS_MAX, exact=True, filter=within)
            ).hits:
                found[str(collection.value), UUID(str(file.value))] = file.count
        return found


def _found(shard: EdgeShard, request: QueryRequest) -> list[Scored]:
    return [Scored(UUID(str(row.id)), row.score) for row in shard.query(request)]


def _created(path: Path) -> EdgeShard:
    """A new shard with its indexes, whole or not at all."""
    unfinished = path.with_name("shard.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    config = EdgeConfig(
        vectors={DENSE: EdgeVectorParams(DIMENSIONS, Distance.Cosine)},
        sparse_vectors={BM25: EdgeSparseVectorParams(modifier=Modifier.Idf)},
    )
    shard = EdgeShard.create(str(unfinished), config)
    shard.update(UpdateOperation.create_field_index(COLLECTION, KeywordIndexParams()))
    for name in (FILE, WHOLE, PART):
        shard.update(UpdateOperation.create_field_index(name, UuidIndexParams()))
    shard.flush()
    shard.close()
    unfinished.rename(path)
    return EdgeShard.load(str(path))


def _edge_point(point: Point) -> EdgePoint:
    terms = document_terms(point.text)
    return EdgePoint(
        point.id,
        {DENSE: point.vector.tolist(), BM25: SparseVector(terms.indices, terms.weights)},
        payload(point),
    )


def _filter(scope: Scope) -> Filter | None:
    """None when the scope is empty."""
    values = wanted(scope)
    conditions = [_any(key, of_key) for key, of_key in ((WHOLE, values.whole), (PART, values.part)) if of_key]
    return Filter(should=[*conditions]) if conditions else None


def _any(key: str, values: Iterable[str]) -> FieldCondition:
    return FieldCondition(key, match=MatchAny(list(values)))
