"""Joins two ranked lists. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from retrieval_service.vectors.port import Scored

# Of "Reciprocal Rank Fusion" (Cormack, Clarke and Buettcher, 2009).
RANK_CONSTANT = 60


@dataclass(slots=True)
class Hit:
    """A passage that was found: its ranks from 1, None where it is not in a list."""

    id: UUID
    dense_rank: int | None = None
    dense_score: float | None = None
    bm25_rank: int | None = None
    bm25_score: float | None = None
    fused_score: float | None = None
    rerank_score: float | None = None

    @property
    def score(self) -> float:
        """What it was ordered by last."""
        ladder = (self.rerank_score, self.fused_score, self.dense_score, self.bm25_score)
        return next((score for score in ladder if score is not None), 0.0)


def fuse(dense: Sequence[Scored] | None, bm25: Sequence[Scored] | None) -> list[Hit]:
    """Best first. With both lists by the sum of the reciprocal ranks, with one in its own order."""
    hits: dict[UUID, Hit] = {}
    for rank, scored in enumerate(dense or (), start=1):
        hits[scored.id] = Hit(scored.id, dense_rank=rank, dense_score=scored.score)
    for rank, scored in enumerate(bm25 or (), start=1):
        hit = hits.setdefault(scored.id, Hit(scored.id))
        hit.bm25_rank, hit.bm25_score = rank, scored.score
    if dense is None or bm25 is None:
        return list(hits.values())
    for hit in hits.values():
        hit.fused_score = _share(hit.dense_rank) + _share(hit.bm25_rank)
    return sorted(hits.values(), key=lambda hit: -hit.score)


def _share(rank: int | None) -> float:
    return 0.0 if rank is None else 1 / (RANK_CONSTANT + rank)
