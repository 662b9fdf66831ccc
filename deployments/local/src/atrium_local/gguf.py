"""The few facts of a GGUF file's metadata that the model server needs, read without loading the weights.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
"""

import mmap
import struct
from pathlib import Path

from atrium_local.errors import LocalError

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_ENTRIES_MAX = 10_000

Scalar = int | float | bool | str


def read_metadata(path: Path) -> dict[str, Scalar]:
    """All scalar and text entries by key; arrays (vocabulary) are skipped.

    Raises: LocalError when it is no GGUF file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).entries()
    except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
        raise LocalError(
            f"{path} is not a GGUF model file ({error}): correct MODEL_PATH, or delete it so that it is fetched again."
        ) from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def entries(self) -> dict[str, Scalar]:
        if self._data[:4] != _MAGIC:
            raise ValueError("it does not begin with GGUF")
        self._at = 8  # magic and version
        _tensors, count = self._number("<Q"), self._number("<Q")
        if count > _ENTRIES_MAX:
            raise ValueError(f"{count} metadata entries")
        found: dict[str, Scalar] = {}
        for _ in range(int(count)):
            key = self._text()
            value = self._value(int(self._number("<I")))
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
