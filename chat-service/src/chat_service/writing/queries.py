"""What a reply is looked up by, and how the passages of its look-ups become one list. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from shared.contracts.retrieval import QUERY_CHARS_MAX, Passage
from shared.replies.fitting import PromptLine

FOLLOW_UP_CHARS_MAX = 600
"""Embedding models read the beginning of a text; the message stands last and must be within it. A longer one
speaks for itself.
"""

_EARLIER_MAX = 2

# Of reciprocal ranks. The usual 60 is for long lists: among the few passages here, to be last in both would
# beat to be first in one.
_RANK_CONSTANT = 1


def queries_of(lines: Sequence[PromptLine], asked: str) -> list[str]:
    """What was asked alone, and behind the questions before it (`lines`, root first) where there are any:
    "and why?" names nothing.
    """
    alone = _query(asked) or "summary"
    if len(alone) >= FOLLOW_UP_CHARS_MAX:
        return [alone]
    before = [_query(line.content) for line in lines if line.role == "user"][-2::-1]
    earlier = [query for query in dict.fromkeys(before) if query not in {"", alone}][:_EARLIER_MAX]
    follow_up = " ".join([*reversed(earlier), alone])
    if len(follow_up) > FOLLOW_UP_CHARS_MAX:
        follow_up = follow_up[-FOLLOW_UP_CHARS_MAX:].partition(" ")[2]
    return list(dict.fromkeys((alone, follow_up)))


def _query(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())[:QUERY_CHARS_MAX].strip()


def fused(rankings: Sequence[Sequence[Passage]], *, k: int) -> list[Passage]:
    """The best `k` passages by the sum of their reciprocal ranks.

    Of two with the same sum, the one of the first ranking wins. At least half come from the first ranking.
    """
    passages: dict[UUID, Passage] = {}
    merits: defaultdict[UUID, float] = defaultdict(float)
    for ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            passages.setdefault(passage.chunk_id, passage)
            merits[passage.chunk_id] += 1 / (_RANK_CONSTANT + rank)
    return sorted(passages.values(), key=lambda passage: -merits[passage.chunk_id])[:k]
