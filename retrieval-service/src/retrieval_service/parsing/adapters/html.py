"""HTML: what a reader of the page would see, with its headings."""

from collections.abc import Iterator
from typing import Any, cast

import lxml.etree
import lxml.html

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.decoding import declared_encoding, decode, read_bytes
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.reading import DocumentSource

_etree, _html = cast("Any", lxml.etree), cast("Any", lxml.html)

_HIDDEN = frozenset(
    {
        "script",
        "style",
        "noscript",
        "template",
        "head",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "canvas",
        "select",
        "datalist",
        "audio",
    }
    | {"video", "map", "noframes", "title"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Elements that end the block before them and begin one of their own.
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
    }
    | {
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "main",
        "nav",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "caption",
    }
    | {"thead", "tbody", "tfoot", "ul", "ol", *_HEADINGS}
)
_LINES = frozenset({"li", "tr", "br"})
_CELLS = frozenset({"td", "th"})


def read(source: DocumentSource) -> Iterator[Block]:
    raw = read_bytes(source.path, kind="HTML", bytes_max=source.limits.text_bytes_max)
    text = decode(raw, declared=declared_encoding(raw))
    if not text.strip():
        return
    parser = _html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    root = _parse(text.encode("utf-8", errors="replace"), parser)
    yield from _Walk().blocks(root)


def _parse(raw: bytes, parser: Any) -> Any:
    try:
        root = _html.document_fromstring(raw, parser=parser)
    except (_etree.ParserError, _etree.XMLSyntaxError) as error:
        if getattr(error, "code", None) == _etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise DocumentRefused(
            "broken", "this HTML holds nothing that could be read; save the page again and upload that copy"
        ) from None
    # The parser drops what is nested deeper than it goes, without failing; half a page must not pass for the
    # whole.
    if any("depth" in entry.message.lower() for entry in parser.error_log):
        raise DocumentRefused(
            "too_deep",
            "the elements of this HTML are nested too deeply; save the page as plain text and upload that",
        )
    return root


class _Walk:
    """One pass over the tree, without recursion: the depth is the writer's choice."""

    def __init__(self) -> None:
        self._headings = HeadingPath()
        self._parts: list[str] = []
        self._preformatted = 0

    def blocks(self, root: Any) -> Iterator[Block]:
        walker = _etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            name = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if name in _HIDDEN:
                    walker.skip_subtree()
                    continue
                yield from self._open(name)
                self._say(element.text)
                continue
            if name not in _HIDDEN:
                yield from self._close(name)
            self._say(element.tail)
        yield from self._flush()

    def _open(self, name: str) -> Iterator[Block]:
        if name in _BLOCKS:
            yield from self._flush()
        elif name in _LINES:
            self._parts.append("\n")
        elif name in _CELLS and self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append(" | ")
        self._preformatted += name == "pre"

    def _close(self, name: str) -> Iterator[Block]:
        if (level := _HEADINGS.get(name)) is not None:
            title = clean_line("".join(self._parts))
            self._parts.clear()
            yield Block(title, headings=self._headings.enter(level, title))
        elif name in _BLOCKS:
            yield from self._flush()
        self._preformatted -= name == "pre"

    def _say(self, text: str | None) -> None:
        if not text:
            return
        if not self._preformatted:
            # White space of the source is one space on the page; lines come from the elements.
            spaced = " ".join(text.split())
            text = f"{' ' if text[0].isspace() else ''}{spaced}{' ' if spaced and text[-1].isspace() else ''}"
        self._parts.append(text)

    def _flush(self) -> Iterator[Block]:
        text = clean(
            "\n".join(
                line if self._preformatted else _squeeze(line) for line in "".join(self._parts).split("\n")
            )
        )
        self._parts.clear()
        if text:
            yield Block(text, headings=self._headings.path)


def _squeeze(line: str) -> str:
    return " ".join(line.split())
