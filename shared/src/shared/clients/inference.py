"""Calls to inference-service for vectors and scores; completions.py streams answers."""

import base64
import struct
from collections.abc import Sequence

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import ServiceCalls
from shared.fair_queue import PRIORITY_HEADER, Priority
from shared.http import Timeouts, UpstreamPool

SERVICE = "inference-service"
_ANSWER_BYTES_MAX = 16 * 1024 * 1024


class InferenceClient:
    """One per process and priority: `interactive` when a person waits for each answer."""

    def __init__(
        self,
        pool: UpstreamPool,
        tokens: ServiceTokens,
        *,
        base_url: str,
        timeouts: Timeouts,
        priority: Priority = "background",
    ) -> None:
        self._calls = ServiceCalls(
            pool,
            tokens,
            service=SERVICE,
            base_url=base_url,
            timeouts=timeouts,
            answer_bytes_max=_ANSWER_BYTES_MAX,
            headers=[(PRIORITY_HEADER, priority.encode("ascii"))],
        )

    async def embed(self, principal: Principal, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, in their order. Raises: AppError."""
        body = {"model": model, "input": list(texts), "encoding_format": "base64"}
        answer = await self._calls.call("POST", "/v1/embeddings", principal, body)
        rows = sorted(answer["data"], key=_index)
        return [_floats(row["embedding"]) for row in rows]

    async def rerank(
        self, principal: Principal, model: str, query: str, documents: Sequence[str]
    ) -> list[float]:
        """One score per document, in their order; higher is better. Raises: AppError."""
        body = {"model": model, "query": query, "documents": list(documents)}
        answer = await self._calls.call("POST", "/v1/rerank", principal, body)
        scores = [0.0] * len(documents)
        for row in answer["results"]:
            scores[row["index"]] = row["relevance_score"]
        return scores


def _index(row: dict[str, int]) -> int:
    return row["index"]


def _floats(encoded: str) -> list[float]:
    raw = base64.b64decode(encoded)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))
