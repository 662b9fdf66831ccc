"""Which words BM25 counts. All stores share this, so that they rank alike."""

import re

# Parameters of BM25; the length is that of a passage of about 200 tokens of the embedding model, without stop
# words.
SATURATION = 1.2
LENGTH_SHARE = 0.75
LENGTH_WORDS = 120.0

_NO_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\u0e00-\u0e7f"
_RUN = re.compile(f"[{_NO_SPACES}]+")


def spaced(text: str) -> str:
    """The text with scripts that put no spaces between words (Chinese, Japanese, Thai) cut into overlapping
    pairs of characters.

    Pairs are what a search without a dictionary of those languages goes by; a character that stands alone
    stays alone.
    """
    return _RUN.sub(_pairs, text)


def _pairs(run: re.Match[str]) -> str:
    characters = run[0]
    pairs = [characters[at : at + 2] for at in range(len(characters) - 1)] or [characters]
    return f" {' '.join(pairs)} "
