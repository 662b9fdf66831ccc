"""Which of the passages that were found are used, and why the others are not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval_service.chunks.service import StoredChunk
from retrieval_service.search.fusion import Hit

# Neighbouring passages share up to a fifth of their tokens on purpose; beyond this share they are one passage said twice.
_SAME_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """A passage that was looked at; `reason` is for people."""

    hit: Hit
    chunk: StoredChunk
    used: bool
    reason: str


def choose(found: Sequence[tuple[Hit, StoredChunk]], k: int) -> list[Choice]:
    """In the given order, the first `k` that say something new."""
    reranked = sum(hit.rerank_score is not None for hit, _ in found)
    used: list[StoredChunk] = []
    choices: list[Choice] = []
    for place, (hit, chunk) in enumerate(found, start=1):
        refusal = _refusal(chunk, used, k)
        if refusal is None:
            used.append(chunk)
            choices.append(Choice(hit, chunk, True, _merit(hit, len(used))))
        elif reranked and hit.rerank_score is None:
            choices.append(Choice(hit, chunk, False, f"below the {reranked} that were reranked, at place {place}"))
        else:
            choices.append(Choice(hit, chunk, False, refusal))
    return choices


def _refusal(chunk: StoredChunk, used: Sequence[StoredChunk], k: int) -> str | None:
    if any(_same(chunk, other) for other in used):
        return "the same passage was already used"
    return f"outside the first {k}" if len(used) >= k else None


def _merit(hit: Hit, place: int) -> str:
    if hit.rerank_score is not None:
        return f"place {place} after reranking"
    by = [f"{rank}. by {name}" for rank, name in ((hit.dense_rank, "meaning"), (hit.bm25_rank, "words")) if rank is not None]
    return f"place {place}: {' and '.join(by)}"


def _same(one: StoredChunk, other: StoredChunk) -> bool:
    if " ".join(one.text.split()) == " ".join(other.text.split()):
        return True
    if one.file_id != other.file_id:
        return False
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > _SAME_SHARE * min(one.end - one.start, other.end - other.start)
