"""Numbered passages, and which of them an answer rests on, for models that were given them and cite none.

Small models answer well from passages and often forget the [n]. An answer that repeats a passage's words can
be marked without asking the model again: for each sentence, the passage that holds most of its telling words,
if it holds enough of them.
"""

import re
from collections.abc import Iterable, Sequence

from shared.contracts.retrieval import Passage
from shared.contracts.runs import Citation

_MARK = re.compile(r"\[(\d{1,3})\]")
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD_CHARS_MIN = 4
_SHARED_MIN = 2
_SHARE_MIN = 0.5
_MARKS_MAX = 5
_TEXT_CHARS_MAX = 20_000


def citation_of(passage: Passage, n: int) -> Citation:
    """`passage` as citation number `n`."""
    return Citation(
        n=n,
        file_id=passage.file_id,
        chunk_id=passage.chunk_id,
        filename=passage.filename,
        page=passage.page,
        heading=passage.heading,
        score=passage.score,
        text=passage.text,
    )


def cited(text: str, numbers: Iterable[int]) -> list[int]:
    """The numbers among `numbers` that `text` cites as [n], in the order they first appear."""
    known = set(numbers)
    found = (int(match[1]) for match in _MARK.finditer(text))
    return list(dict.fromkeys(number for number in found if number in known))


def missing_marks(text: str, passages: Sequence[tuple[int, str]]) -> str:
    """What to append to an answer that cites nothing: " [1][3]", or nothing when it cites or no passage
    supports it.

    `passages` are (number, text). A sentence rests on a passage that holds at least two and at least half of
    its telling words (four letters or more, or a number).
    """
    if not passages or cited(text, (number for number, _ in passages)):
        return ""
    known = [(number, _telling(passage)) for number, passage in passages]
    found: list[int] = []
    for sentence in _SENTENCE.findall(text[:_TEXT_CHARS_MAX]):
        best = _best(_telling(sentence), known)
        if best is not None and best not in found:
            found.append(best)
    marks = "".join(f"[{number}]" for number in found[:_MARKS_MAX])
    return f" {marks}" if marks else ""


def _best(words: set[str], passages: Sequence[tuple[int, set[str]]]) -> int | None:
    if not words:
        return None
    shared, number = max(((len(words & held), -number) for number, held in passages), default=(0, 0))
    return -number if shared >= _SHARED_MIN and shared >= _SHARE_MIN * len(words) else None


def _telling(text: str) -> set[str]:
    words = (word.casefold() for word in _WORD.findall(text))
    return {word for word in words if len(word) >= _WORD_CHARS_MIN or word.isdigit()}
