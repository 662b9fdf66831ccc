"""Vectors in a Qdrant server, which several replicas can share. Its own index does the search."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

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
from retrieval_service.vectors.errors import VectorStoreUnavailable
from retrieval_service.vectors.port import DIMENSIONS, Point, Scope, Scored, Vector

NAME = "atrium"
_UPSERT_POINTS = 256
_FACETS_MAX = 1_000_000
_KEYWORD = models.PayloadSchemaType.KEYWORD
_UUID = models.PayloadSchemaType.UUID
_INDEXES = {
    WHOLE: models.UuidIndexParams(type=models.UuidIndexType.UUID, is_tenant=True),
    PART: _UUID,
    COLLECTION: _KEYWORD,
    FILE: _UUID,
}
# What the client raises for a server that is away, refuses or answers nonsense; ValueError in its local mode.
_FAILURES = (ApiException, UnexpectedResponse, OSError, ValueError)

log = logging.getLogger(__name__)


class QdrantStore:
    """One Qdrant collection for everything, as its makers advise for many tenants."""

    def __init__(self, connect: Callable[[], AsyncQdrantClient]) -> None:
        self._connect = connect
        self._client: AsyncQdrantClient | None = None
        self._ready = False
        self._making = asyncio.Lock()

    async def open(self) -> None:
        """A server that is away now is asked again at first use. Raises: VectorStoreTakenError in
        local mode.
        """
        try:
            await self._opened()
        except VectorStoreUnavailable:
            log.warning("the vector store at QDRANT_URL does not answer yet")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def check(self) -> None:
        client = await self._opened()
        async with _translated():
            await client.collection_exists(NAME)

    async def upsert(self, points: Sequence[Point]) -> None:
        client = await self._opened()
        for at in range(0, len(points), _UPSERT_POINTS):
            async with _translated():
                await client.upsert(
                    NAME, [_point(point) for point in points[at : at + _UPSERT_POINTS]], wait=True
                )

    async def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None:
        if not file_ids:
            return
        client = await self._opened()
        gone = models.Filter(must=[_any(COLLECTION, [collection]), _any(FILE, map(str, file_ids))])
        async with _translated():
            await client.delete(NAME, models.FilterSelector(filter=gone), wait=True)

    async def search_dense(self, scope: Scope, vector: Vector, limit: int) -> list[Scored]:
        within = _filter(scope)
        if within is None:
            return []
        return await self._found(vector.tolist(), DENSE, within, limit, models.SearchParams())

    async def search_bm25(self, scope: Scope, query: str, limit: int) -> list[Scored]:
        within, terms = _filter(scope), query_terms(query)
        if within is None or not terms.indices:
            return []
        sparse = models.SparseVector(indices=terms.indices, values=terms.weights)
        # As in edge.py: how rare a word is counts within the scope.
        params = models.SearchParams(idf=models.IdfCorpusParams(corpus=within))
        return await self._found(sparse, BM25, within, limit, params)

    async def list_files(self) -> dict[tuple[str, UUID], int]:
        found: dict[tuple[str, UUID], int] = {}
        for collection in await self._facet(COLLECTION, None):
            within = models.Filter(must=[_any(COLLECTION, [str(collection.value)])])
            for file in await self._facet(FILE, within):
                found[str(collection.value), UUID(str(file.value))] = file.count
        return found

    async def _facet(self, key: str, within: models.Filter | None) -> list[models.FacetValueHit]:
        client = await self._opened()
        async with _translated():
            return (await client.facet(NAME, key, facet_filter=within, limit=_FACETS_MAX, exact=True)).hits

    async def _found(
        self,
        query: list[float] | models.SparseVector,
        using: str,
        within: models.Filter,
        limit: int,
        params: models.SearchParams,
    ) -> list[Scored]:
        client = await self._opened()
        async with _translated():
            answer = await client.query_points(
                NAME,
                query,
                using=using,
                query_filter=within,
                limit=limit,
                search_params=params,
                with_payload=False,
            )
        return [Scored(UUID(str(row.id)), row.score) for row in answer.points]

    async def _opened(self) -> AsyncQdrantClient:
        if self._ready and self._client is not None:
            return self._client
        async with self._making:
            self._client = self._client or self._connect()
            if not self._ready:
                async with _translated():
                    await _ensure_collection(self._client)
                self._ready = True
            return self._client


@asynccontextmanager
async def _translated() -> AsyncGenerator[None]:
    try:
        yield
    except _FAILURES as error:
        log.warning("the Qdrant server failed", exc_info=error)
        raise VectorStoreUnavailable from error


async def _ensure_collection(client: AsyncQdrantClient) -> None:
    if await client.collection_exists(NAME):
        return
    try:
        await client.create_collection(
            NAME,
            vectors_config={DENSE: models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)},
            sparse_vectors_config={BM25: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
    except UnexpectedResponse as error:
        # Another replica was faster.
        if error.status_code != 409:
            raise
    for name, schema in _INDEXES.items():
        await client.create_payload_index(NAME, name, schema, wait=True)


def _point(point: Point) -> models.PointStruct:
    terms = document_terms(point.text)
    sparse = models.SparseVector(indices=terms.indices, values=terms.weights)
    return models.PointStruct(
        id=str(point.id), vector={DENSE: point.vector.tolist(), BM25: sparse}, payload=dict(payload(point))
    )


def _filter(scope: Scope) -> models.Filter | None:
    """None when the scope is empty."""
    values = wanted(scope)
    conditions: list[models.Condition] = [
        _any(key, of_key) for key, of_key in ((WHOLE, values.whole), (PART, values.part)) if of_key
    ]
    return models.Filter(should=conditions) if conditions else None


def _any(key: str, values: Iterable[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
