"""Reads a safetensors file without torch: an 8-byte header length, a JSON header, then the tensors' bytes."""

import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import orjson

Tensors = dict[str, npt.NDArray[np.float32]]
_HEADER_BYTES_MAX = 16 * 1024 * 1024


def read_float32_tensors(path: Path) -> Tensors:
    """Every F32 tensor of the file by name, mapped from disk and not copied.

    Raises:
        ValueError: the file is not a safetensors file or is cut off.
    """
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > _HEADER_BYTES_MAX:
            raise ValueError(f"{path} is not a safetensors file")
        header = cast("dict[str, Any]", orjson.loads(file.read(header_bytes)))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_bytes)
    tensors: Tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") != "F32":
            continue
        start, end = entry["data_offsets"]
        if end > data.size:
            raise ValueError(
                f"{path} is cut off: tensor {name} ends at byte {end} of {data.size}; fetch it again"
            )
        tensors[name] = data[start:end].view(np.float32).reshape(entry["shape"])
    return tensors
