"""Which of the passages that were found are used, and why the others are not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from retrieval_service.chunks.service import StoredChunk
from retrieval_service.search.fusion import Hit

# Neighbouring passages share up to a fifth of their tokens on purpose; beyond this share they are one passage
# said twice.
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
    used = _Used()
    choices: list[Choice] = []
    for place, (hit, chunk) in enumerate(found, start=1):
        if used.holds(chunk):
            choices.append(Choice(hit, chunk, False, "the same passage was already used"))
        elif len(used) < k:
            used.add(chunk)
            choices.append(Choice(hit, chunk, True, _merit(hit, len(used))))
        elif reranked and hit.rerank_score is None:
            choices.append(
                Choice(hit, chunk, False, f"below the {reranked} that were reranked, at place {place}")
            )
        else:
            choices.append(Choice(hit, chunk, False, f"outside the first {k}"))
    return choices


class _Used:
    """What was chosen so far. Words are compared once per passage: joining them for each pair cost 30 ms a
    search.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._stretches: dict[UUID, list[tuple[int, int]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, chunk: StoredChunk) -> None:
        self._count += 1
        self._texts.add(_words(chunk))
        self._stretches.setdefault(chunk.file_id, []).append((chunk.start, chunk.end))

    def holds(self, chunk: StoredChunk) -> bool:
        """Whether the same words, or most of the same stretch of the file, are among them."""
        for start, end in self._stretches.get(chunk.file_id, ()):
            if min(chunk.end, end) - max(chunk.start, start) > _SAME_SHARE * min(
                chunk.end - chunk.start, end - start
            ):
                return True
        return _words(chunk) in self._texts


def _words(chunk: StoredChunk) -> str:
    return " ".join(chunk.text.split())


def _merit(hit: Hit, place: int) -> str:
    if hit.rerank_score is not None:
        return f"place {place} after reranking"
    by = [
        f"{rank}. by {name}"
        for rank, name in ((hit.dense_rank, "meaning"), (hit.bm25_rank, "words"))
        if rank is not None
    ]
    return f"place {place}: {' and '.join(by)}"
