"""Wire format of a parsing process: length-prefixed JSON on its standard output, each frame one of four
kinds.
"""

import struct
from dataclasses import asdict, dataclass
from typing import Any

import orjson

LENGTH = struct.Struct("<I")
FRAME_BYTES_MAX = 4 * 1024 * 1024
CHUNKS_PER_FRAME_MAX = 64
_CHUNK_CHARS_MAX = 8_000
_HEADING_CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Progress:
    """Pages read so far, or bytes of a file without pages."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A passage: `text` is the document's text from character `start` to `end`; `page` is that of its first
    character, from 1.
    """

    text: str
    page: int | None
    heading: str | None
    start: int
    end: int
    token_count: int


@dataclass(frozen=True, slots=True)
class Chunks:
    """The next passages of the document, in order."""

    chunks: tuple[TextChunk, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The last frame of a document that was read. `pages` null: it has none."""

    pages: int | None
    chars: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The last frame of one that was not. `reason` is for the log."""

    code: str
    detail: str
    reason: str = ""


Frame = Progress | Chunks | Done | Refused
_KINDS: dict[str, type[Progress] | type[Chunks] | type[Done] | type[Refused]] = {
    kind.__name__: kind for kind in (Progress, Chunks, Done, Refused)
}


class BadFrameError(Exception):
    """The parsing process, which reads what strangers wrote, sent something else than agreed."""


def encode(frame: Frame) -> bytes:
    payload = orjson.dumps({"kind": type(frame).__name__, **asdict(frame)})
    return LENGTH.pack(len(payload)) + payload


def decode(payload: bytes) -> Frame:
    """Raises: BadFrameError."""
    try:
        members: dict[str, Any] = orjson.loads(payload)
        kind = _KINDS[members.pop("kind")]
        if kind is Chunks:
            return Chunks(tuple(_chunk(member) for member in members["chunks"][: CHUNKS_PER_FRAME_MAX + 1]))
        return kind(**members)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BadFrameError(type(error).__name__) from error


def _chunk(members: dict[str, Any]) -> TextChunk:
    chunk = TextChunk(**members)
    if (
        not 0 < len(chunk.text) <= _CHUNK_CHARS_MAX
        or "\x00" in chunk.text
        or len(chunk.heading or "") > _HEADING_CHARS_MAX
    ):
        raise BadFrameError("a chunk out of bounds")
    return chunk
