"""Markdown: the source is kept as it is written, its headings say what stands under what."""

from collections.abc import Iterator

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.decoding import decode, read_bytes
from retrieval_service.parsing.headings import headings
from retrieval_service.parsing.reading import DocumentSource

_MARKS = str.maketrans("", "", "*_`")


def read(source: DocumentSource) -> Iterator[Block]:
    text = clean(decode(read_bytes(source.path, kind="Markdown", bytes_max=source.limits.text_bytes_max)))
    lines = text.split("\n")
    path, at = HeadingPath(), 0
    for heading in headings(lines):
        yield Block("\n".join(lines[at : heading.line]).strip("\n"), headings=path.path)
        at = heading.line
        path.enter(heading.level, clean_line(heading.title.translate(_MARKS)))
    yield Block("\n".join(lines[at:]).strip("\n"), headings=path.path)
