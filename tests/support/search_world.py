"""Passages of a few people in stores of a search, and a model that knows their meanings."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import numpy as np
from identities import KeyRing
from retrieval_service.vectors.port import Point, VectorStore
from servers import read_body
from shared.auth.principal import Principal
from shared.ids import uuid7

KEYS = KeyRing()


# What the scripted model means by a word: texts with the same meaning lie in the same direction.
MEANINGS = {
    "cat": "animal",
    "kitten": "animal",
    "feline": "animal",
    "invoice": "money",
    "bill": "money",
    "payment": "money",
}


def meaning(text: str) -> np.ndarray[Any, Any]:
    """Unit vector: the sum of the directions of what the words mean, and a little of the text's own."""
    words = [MEANINGS.get(word.strip(".,").lower(), "") for word in text.split()]
    total = 0.01 * direction(text)
    for word in filter(None, words):
        total = total + direction(word)
    return (total / np.linalg.norm(total)).astype(np.float32)


def direction(name: str) -> np.ndarray[Any, Any]:
    vector = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])).normal(
        size=384
    )
    return vector / np.linalg.norm(vector)


class FakeInference:
    """/v1/embeddings and /v1/rerank; the rerank prefers texts by how often they say `best`. `status` other
    than 200 refuses all.
    """

    def __init__(self) -> None:
        self.status = 200
        self.embedded: list[str] = []
        self.reranked: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw = await read_body(receive)
        answer: Any = {"error": {"code": "refused", "message": "not now"}}
        if self.status == 200:
            answer = (
                self.rerank(json.loads(raw))
                if scope["path"] == "/v1/rerank"
                else self.embed(json.loads(raw)["input"])
            )
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def embed(self, texts: list[str]) -> Any:
        self.embedded += texts
        rows = [base64.b64encode(meaning(text).astype("<f4").tobytes()).decode() for text in texts]
        return {"data": [{"index": index, "embedding": row} for index, row in enumerate(rows)]}

    def rerank(self, body: Any) -> Any:
        self.reranked.append(len(body["documents"]))
        results = [
            {"index": index, "relevance_score": text.count("best") / 10}
            for index, text in enumerate(body["documents"])
        ]
        return {"results": sorted(results, key=lambda result: -result["relevance_score"])}


@dataclass
class World:
    """A running service, its database, and the store it uses."""

    url: str
    database_url: str
    store: VectorStore
    inference: FakeInference
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, principal: Principal) -> httpx.AsyncClient:
        self.clients.append(
            httpx.AsyncClient(
                base_url=self.url, headers=KEYS.user_headers(principal), timeout=20, trust_env=False
            )
        )
        return self.clients[-1]

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url, server_settings={"search_path": "retrieval"})
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def file(
        self, name: str, texts: Sequence[str], *, owner: Principal, stage: str = "ready", step: int = 1000
    ) -> UUID:
        """A file as its ingestion would have left it: row, passages `step` characters apart, points."""
        file_id, collection = uuid7(), f"u-{owner.user_id}"
        await self.sql(
            "INSERT INTO file (id, organisation_id, team_id, user_id, principal, filename, content_type,"
            " size_bytes, sha256, s3_key, collection, stage, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, '{}', $5, 'text/plain', 1, '', $6, $7, $8, now(), now())",
            *(
                file_id,
                owner.organisation_id,
                owner.team_id,
                owner.user_id,
                name,
                f"files/{file_id}",
                collection,
                stage,
            ),
        )
        points: list[Point] = []
        for ordinal, text in enumerate(texts):
            chunk_id = uuid7()
            await self.sql(
                "INSERT INTO chunk (id, file_id, ordinal, text, page, heading, start_offset, end_offset,"
                " token_count)"
                " VALUES ($1, $2, $3, $4, $5, null, $6, $7, 10)",
                *(chunk_id, file_id, ordinal, text, ordinal + 1, ordinal * step, ordinal * step + len(text)),
            )
            points.append(Point(chunk_id, collection, owner.organisation_id, file_id, text, meaning(text)))
        await self.store.upsert(points)
        return file_id
