"""The few facts of a GGUF file's metadata that the model server needs, read without loading the weights.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from atrium_local.errors import LocalError

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_ENTRIES_MAX = 10_000
_VOCABULARY_MAX = 2_000_000
_TOKENS, _TOKEN_TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_CONTROL = 3  # LLAMA_TOKEN_TYPE_CONTROL
_CONTROL_TOKENS_MAX = 4096
_NOT_ONE = (
    OSError,
    ValueError,
    KeyError,
    struct.error,
)  # what reading a file that is none comes to; a kind of value nobody knows is KeyError

Scalar = int | float | bool | str


def read_metadata(path: Path) -> dict[str, Scalar]:
    """All scalar and text entries by key; arrays (vocabulary) are skipped.

    Raises: LocalError when it is no GGUF file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).entries()
    except _NOT_ONE as error:
        raise LocalError(
            f"{path} is not a GGUF model file ({error}): correct MODEL_PATH, or delete it so that it is "
            "fetched again."
        ) from error


def control_tokens(path: Path) -> list[str]:
    """The texts of the vocabulary that mark where messages begin and end. Raises: LocalError when it is no
    GGUF file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            reader = _Reader(data, kept=frozenset({_TOKENS, _TOKEN_TYPES}))
            reader.entries()
            texts, kinds = reader.arrays.get(_TOKENS, []), reader.arrays.get(_TOKEN_TYPES, [])
    except _NOT_ONE as error:
        raise LocalError(f"{path} is not a GGUF model file ({error})") from error
    return [str(text) for text, kind in zip(texts, kinds, strict=False) if kind == _CONTROL][
        :_CONTROL_TOKENS_MAX
    ]


class _Reader:
    def __init__(self, data: mmap.mmap, *, kept: frozenset[str] = frozenset()) -> None:
        self._data = data
        self._at = 0
        self._kept = kept
        self.arrays: dict[str, list[Scalar]] = {}

    def entries(self) -> dict[str, Scalar]:
        """All scalar and text entries; arrays named in `kept` go to `arrays`."""
        if self._data[:4] != _MAGIC:
            raise ValueError("it does not begin with GGUF")
        self._at = 8  # magic and version
        _tensors, count = self._number("<Q"), self._number("<Q")
        if count > _ENTRIES_MAX:
            raise ValueError(f"{count} metadata entries")
        found: dict[str, Scalar] = {}
        for _ in range(int(count)):
            key = self._text()
            kind = int(self._number("<I"))
            if kind == _ARRAY and key in self._kept:
                self.arrays[key] = self._array()
                continue
            value = self._value(kind)
            if value is not None:
                found[key] = value
        return found

    def _value(self, kind: int) -> Scalar | None:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        return self._number(_SCALARS[kind])

    def _array(self) -> list[Scalar]:
        kind, count = int(self._number("<I")), int(self._number("<Q"))
        if count > _VOCABULARY_MAX:
            raise ValueError(f"a vocabulary of {count} tokens")
        if kind == _STRING:
            return [
                self._data[start : start + length].decode(errors="replace")
                for start, length in self._spans(count)
            ]
        return [self._number(_SCALARS[kind]) for _ in range(count)]

    def _spans(self, count: int) -> Iterator[tuple[int, int]]:
        for _ in range(count):
            length = int(self._number("<Q"))
            start, self._at = self._at, self._at + length
            yield start, length

    def _skip_array(self) -> None:
        kind, count = int(self._number("<I")), int(self._number("<Q"))
        if kind in _SCALARS:
            self._at += count * struct.calcsize(_SCALARS[kind])
            return
        for _ in range(count):
            if kind == _STRING:
                self._at += 8 + int(struct.unpack_from("<Q", self._data, self._at)[0])
            else:
                self._skip_array()

    def _text(self) -> str:
        length = int(self._number("<Q"))
        start = self._at
        self._at += length
        if self._at > len(self._data):
            raise ValueError("it ends in the middle of its metadata")
        return self._data[start : self._at].decode()

    def _number(self, layout: str) -> int | float | bool:
        value: int | float | bool = struct.unpack_from(layout, self._data, self._at)[0]
        self._at += struct.calcsize(layout)
        return value
