"""How long a text is to the embedding model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer

from retrieval_service.parsing.splitter import CountTokens

_WORDS_MAX = 200_000


def token_counter(path: Path) -> CountTokens:
    """Counts tokens as the embedding model does, without the two that frame every text.

    Its tokenizer looks at one word at a time, and most words of a document were seen before: remembering them
    is ten times faster.
    """
    tokenizer = cast("Any", Tokenizer).from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    known: dict[str, int] = {}

    def count(texts: Sequence[str]) -> list[int]:
        split = [text.split() for text in texts]
        if len(known) > _WORDS_MAX:
            known.clear()
        new = list({word for words in split for word in words if word not in known})
        for word, encoding in zip(
            new, tokenizer.encode_batch_fast(new, add_special_tokens=False), strict=True
        ):
            known[word] = len(encoding.ids)
        return [sum(map(known.__getitem__, words)) for words in split]

    return count
