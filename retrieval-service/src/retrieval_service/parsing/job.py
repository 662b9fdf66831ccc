"""What the service asks of a parsing process, and what it allows it."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """Set before anything is read. `memory_bytes_max` counts address space, `cpu_s_max` seconds on a core."""

    memory_bytes_max: int
    cpu_s_max: int
    pages_max: int
    text_bytes_max: int  # of a text, Markdown or HTML file
    text_chars_max: int  # of the text that comes out
    unpacked_bytes_max: int  # of everything packed in a DOCX
    chunks_max: int


@dataclass(frozen=True, slots=True)
class ParseJob:
    """One document. `chunk_tokens_max` and `chunk_overlap_tokens` count tokens of the tokenizer in
    `tokenizer_path`.
    """

    path: str
    content_type: str
    filename: str
    tokenizer_path: str
    chunk_tokens_max: int
    chunk_overlap_tokens: int
    limits: ParseLimits
    confined: bool = True  # False: limits of time and memory alone, where the operator accepts that

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    @staticmethod
    def decode(raw: bytes) -> "ParseJob":
        members: dict[str, Any] = orjson.loads(raw)
        limits = ParseLimits(**members.pop("limits"))
        return ParseJob(limits=limits, **members)
