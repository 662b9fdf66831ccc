"""Passages in a prompt: short enough for a small model, numbered as they are cited."""

from collections.abc import Sequence

from shared.citations import citation_of
from shared.contracts.retrieval import Passage
from shared.contracts.runs import Citation
from shared.replies.fitting import PromptLine

OVERHEAD_BYTES = 300
"""Room for what stands around the passages of a question."""

PASSAGES_SHARE = 2
"""Passages get at most half of what the model can read beside its answer; history has the rest."""

_TIGHT = (4, 3)
"""A long question may take the room that the estimate of three bytes a token keeps free: text has four, and a
passage is worth it.
"""

# Without an example of a citation: small models repeat the example instead of answering.
_TASK = "Use these passages to answer, and cite them by their numbers."
_FORM = "Answer in full sentences. Say so if the passages do not hold the answer."
_NOTHING_FOUND = (
    "(A search in the attached documents found nothing about this. Say so if the answer needs them.)"
)


def passages_room(asked: str, *, bytes_max: int) -> int:
    """Bytes for passages beside a question, in a prompt of `bytes_max`."""
    more, of = _TIGHT
    return min(bytes_max // PASSAGES_SHARE, bytes_max * more // of - len(asked.encode()) - OVERHEAD_BYTES)


def asked_text(content: str, filenames: Sequence[str]) -> str:
    """What was asked: a message without words stands for its files."""
    return (
        content if content.strip() or not filenames else f"What do these files say: {', '.join(filenames)}?"
    )


def numbered(passages: Sequence[Passage], *, bytes_max: int) -> list[Citation]:
    """The passages that fit, best first, numbered from 1."""
    kept: list[Citation] = []
    left = bytes_max
    for passage in passages:
        citation = citation_of(passage, len(kept) + 1)
        size_bytes = len(_block(citation).encode()) + 2
        if size_bytes <= left:
            left -= size_bytes
            kept.append(citation)
    return kept


def with_passages(asked: str, citations: Sequence[Citation]) -> str:
    """The question behind its passages."""
    if not citations:
        return f"{asked}\n\n{_NOTHING_FOUND}"
    passages = "\n\n".join(_block(citation) for citation in citations)
    return f"{_TASK}\n\n{passages}\n\nQuestion: {asked}\n\n{_FORM}"


def _block(citation: Citation) -> str:
    place = citation.filename if citation.page is None else f"{citation.filename}, page {citation.page}"
    return f"[{citation.n}] {place}\n{citation.text.strip()}"


def replace_question(lines: Sequence[PromptLine], content: str) -> list[PromptLine]:
    """`lines` with the newest message of a person saying `content`."""
    at = max((index for index, line in enumerate(lines) if line.role == "user"), default=None)
    if at is None:
        return [PromptLine("user", content), *lines]
    return [*lines[:at], PromptLine("user", content), *lines[at + 1 :]]


def question_of(lines: Sequence[PromptLine]) -> str:
    """The newest message of a person."""
    return next((line.content for line in reversed(lines) if line.role == "user"), "")
