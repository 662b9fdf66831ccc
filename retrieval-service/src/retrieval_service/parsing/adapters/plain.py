"""Plain text, code, CSV, JSON: everything that is text already."""

from collections.abc import Iterator

from retrieval_service.parsing.blocks import Block, clean
from retrieval_service.parsing.decoding import decode, read_bytes
from retrieval_service.parsing.reading import DocumentSource


def read(source: DocumentSource) -> Iterator[Block]:
    raw = read_bytes(source.path, kind="text", bytes_max=source.limits.text_bytes_max)
    yield Block(clean(decode(raw)))
