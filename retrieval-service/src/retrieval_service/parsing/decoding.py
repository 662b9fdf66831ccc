"""Bytes to text when nobody says which encoding they are in."""

import codecs
import re
from pathlib import Path
from typing import Final

from retrieval_service.parsing.encoding import decode_unmarked, is_iso_2022_jp
from retrieval_service.parsing.errors import binary, too_large, unclear_encoding

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE_BYTES = 1024 * 1024
_META_BYTES = 4096
_META = re.compile(
    rb"<(?:meta[^>]{0,200}?charset\s*=|\?xml[^>]{0,100}?encoding\s*=)\s*[\"']?([A-Za-z0-9_:.\-]{1,40})",
    re.IGNORECASE,
)


def read_bytes(path: Path, *, kind: str, bytes_max: int) -> bytes:
    """The file, read piece by piece so that one that is no text is noticed in its first piece.

    Raises:
        DocumentRefused: NUL bytes without the mark of an encoding that has them, or more than `bytes_max`.
    """
    pieces: list[bytes] = []
    size_bytes, wide = 0, False
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            if not pieces:
                wide = (_marked(piece) or "").startswith(("utf-16", "utf-32"))
            if not wide and b"\x00" in piece:
                raise binary()
            size_bytes += len(piece)
            if size_bytes > bytes_max:
                raise too_large(kind, bytes_max)
            pieces.append(piece)
    return b"".join(pieces)


def decode(raw: bytes, *, declared: str | None = None) -> str:
    """By the mark at its start, as declared, as UTF-8, else as it is found to be.

    Raises: DocumentRefused when NULs come out, or when no encoding stands out.
    """
    for encoding in (_marked(raw), declared, "iso2022_jp_2" if is_iso_2022_jp(raw) else None, "utf-8"):
        if encoding is None:
            continue
        try:
            text = raw.decode(encoding)
        except (UnicodeError, LookupError):
            continue
        break
    else:
        found = decode_unmarked(raw)
        if found is None:
            raise unclear_encoding()
        text = found
    if "\x00" in text:
        raise binary()
    return text


def declared_encoding(raw: bytes) -> str | None:
    """What the head of an HTML file says, when Python knows it as an encoding of text."""
    found = _META.search(raw[:_META_BYTES])
    if found is None:
        return None
    name = found[1].decode("ascii").lower()
    if name in {"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"}:
        return "windows-1252" if not _is_utf8(raw) else "utf-8"
    if name.startswith(("utf-16", "utf-32")):
        return None  # the declaration could be read, so it is in neither
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _marked(raw: bytes) -> str | None:
    return next((encoding for mark, encoding in _BOMS if raw.startswith(mark)), None)
