"""Markdown: the source is kept as it is written, its headings say what stands under what."""

from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.decoding import decode, read_bytes
from retrieval_service.parsing.reading import Source

_MARKS = str.maketrans("", "", "*_`")


def read(source: Source) -> Iterator[Block]:
    text = clean(decode(read_bytes(source.path, kind="Markdown", bytes_max=source.limits.text_bytes_max)))
    lines = text.split("\n")
    headings = HeadingPath()
    at = 0
    for level, title, line in _headings(text):
        yield Block("\n".join(lines[at:line]).strip("\n"), headings=headings.path)
        at = line
        headings.enter(level, title)
    yield Block("\n".join(lines[at:]).strip("\n"), headings=headings.path)


def _headings(text: str) -> Iterator[tuple[int, str, int]]:
    """Level, title and line of each heading that is not inside a quote, a list or code."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # what stands inside a paragraph is nobody's heading
    tokens = parser.parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map is not None:
            yield int(opening.tag[1:]), _title(inline), opening.map[0]


def _title(inline: Token) -> str:
    return clean_line(inline.content.translate(_MARKS))
