"""DOCX: the package is opened by hand, so that no part is unpacked that is not read and none beyond its
bound.
"""

import re
import zipfile
from collections.abc import Iterator
from typing import IO, Any, cast

import lxml.etree

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.errors import DocumentRefused, broken
from retrieval_service.parsing.reading import DocumentSource

_etree = cast("Any", lxml.etree)

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_W_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_MC_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PARTS = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
# Of each section, and for its first and its even pages: mostly the same words.
_MARGINS = re.compile(r"word/(?:header|footer)\d{1,3}\.xml")
_STYLES = "word/styles.xml"
_ENTRIES_MAX = 5_000
_RATIO_MAX = 200
_RATIO_FROM_BYTES = 4 * 1024 * 1024  # small parts of repetitive XML pack very well
_LEVELS = {f"heading {level}": level for level in range(1, 10)} | {"title": 0}
_ROWS_PER_BLOCK = 50
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read(source: DocumentSource) -> Iterator[Block]:
    try:
        with zipfile.ZipFile(source.path) as package:
            _check(package, source.limits.unpacked_bytes_max)
            names = set(package.namelist())
            if _PARTS[0] not in names:
                raise broken("DOCX")
            budget = _Budget(source.limits.unpacked_bytes_max)
            levels = _heading_levels(package, budget) if _STYLES in names else {}
            for part in _PARTS:
                if part in names:
                    with package.open(part) as stream:
                        yield from _Paragraphs(levels).blocks(_Bounded(stream, budget))
            yield from _margins(package, sorted(filter(_MARGINS.fullmatch, names)), budget)
    except RuntimeError:  # zipfile's word for an entry with a password
        raise DocumentRefused(
            "encrypted", "this DOCX asks for a password; save a copy without one and upload that"
        ) from None
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        OSError,
        _etree.XMLSyntaxError,
    ) as error:
        if getattr(error, "code", None) == _etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise broken("DOCX") from None


def _margins(package: zipfile.ZipFile, parts: list[str], budget: "_Budget") -> Iterator[Block]:
    """Headers and footers, each once."""
    seen: set[str] = set()
    for part in parts:
        with package.open(part) as stream:
            text = "\n".join(
                block.text for block in _Paragraphs({}).blocks(_Bounded(stream, budget)) if block.text
            )
        if text not in seen and any(character.isalpha() for character in text):
            seen.add(text)
            yield Block(text)


def _bomb() -> DocumentRefused:
    return DocumentRefused(
        "packed_too_tightly",
        "this DOCX unpacks to far more than a document needs; save it again in its own program",
    )


def _check(package: zipfile.ZipFile, bytes_max: int) -> None:
    """What the package says of itself. Raises: DocumentRefused."""
    entries = package.infolist()
    if len(entries) > _ENTRIES_MAX or sum(entry.file_size for entry in entries) > bytes_max:
        raise _bomb()
    if any(
        entry.file_size > _RATIO_FROM_BYTES and entry.file_size > _RATIO_MAX * entry.compress_size
        for entry in entries
    ):
        raise _bomb()


class _Budget:
    """What may still be unpacked of one document."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def spend(self, size_bytes: int) -> None:
        self._left -= size_bytes
        if self._left < 0:
            raise _bomb()


class _Bounded:
    """A stream that counts what really comes out of it, whatever the package says."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size_bytes: int = 65536) -> bytes:
        piece = self._stream.read(min(size_bytes, 65536) if size_bytes > 0 else 65536)
        self._budget.spend(len(piece))
        return piece


def _events(stream: _Bounded, names: frozenset[str]) -> Iterator[tuple[str, str, Any]]:
    """(event, local name, element) of Word's own elements. Raises: DocumentRefused when the XML declares a
    document type.
    """
    parser = _etree.iterparse(
        stream,
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
    )
    first = True
    for event, element in parser:
        if first:
            first = False
            if element.getroottree().docinfo.internalDTD is not None:
                raise DocumentRefused(
                    "unsafe_xml",
                    "the XML in this DOCX declares entities, which no word processor does; save it again",
                )
        tag = element.tag
        if tag == _MC_FALLBACK:
            yield event, "Fallback", element
        elif isinstance(tag, str) and tag.startswith((_W, _W_STRICT)):
            name = tag[tag.index("}") + 1 :]
            if name in names:
                yield event, name, element


def _attribute(element: Any, name: str) -> str | None:
    return element.get(_W + name) or element.get(_W_STRICT + name)


def _heading_levels(package: zipfile.ZipFile, budget: _Budget) -> dict[str, int]:
    """Style ids of headings with their level: by name, by outline level, or as the style they are
    based on.
    """
    levels: dict[str, int] = {}
    parents: dict[str, str] = {}
    style: str | None = None
    with package.open(_STYLES) as stream:
        for event, name, element in _events(
            _Bounded(stream, budget), frozenset({"style", "name", "basedOn", "outlineLvl"})
        ):
            value = _attribute(element, "val")
            if name == "style":
                style = _attribute(element, "styleId") if event == "start" else None
                if event == "end":
                    element.clear()
            elif style is None or value is None or event == "end":
                continue
            elif name == "name" and value.lower() in _LEVELS:
                levels[style] = _LEVELS[value.lower()]
            elif name == "outlineLvl" and value.isdecimal() and int(value) < 9:
                levels.setdefault(style, int(value) + 1)
            elif name == "basedOn":
                parents[style] = value
    for style_id, parent in parents.items():
        if style_id not in levels and parent in levels:
            levels[style_id] = levels[parent]
    return levels


class _Paragraphs:
    """Blocks of one part: paragraphs, and the rows of tables with their cells side by side."""

    _NAMES = frozenset({"p", "tbl", "tr", "tc", "t", "pStyle", "outlineLvl", "txbxContent", *_CHARACTERS})

    def __init__(self, levels: dict[str, int]) -> None:
        self._levels = levels
        self._headings = HeadingPath()
        self._tables = 0
        self._text: list[str] = []
        self._cells: list[str] = []
        self._rows: list[str] = []
        self._level: int | None = None
        self._around: list[tuple[list[str], int | None]] = []  # what a text box stands in
        self._fallbacks = 0

    def blocks(self, stream: _Bounded) -> Iterator[Block]:
        for event, name, element in _events(stream, self._NAMES):
            if name == "Fallback":
                # The same text box once more, for programs that cannot show the first form of it.
                self._fallbacks += 1 if event == "start" else -1
            elif self._fallbacks:
                continue
            elif name == "txbxContent":
                self._enter_box() if event == "start" else self._leave_box()
            elif event == "start":
                self._start(name)
            else:
                yield from self._end(name, element)

    def _enter_box(self) -> None:
        self._around.append((self._text, self._level))
        self._text, self._level = [], None

    def _leave_box(self) -> None:
        rest = self._text
        self._text, self._level = self._around.pop()
        if rest:  # of a box in a table, whose cells are read as a whole
            self._text += ["\n", *rest]

    def _start(self, name: str) -> None:
        if name == "tbl":
            self._tables += 1
        elif name == "tr" and self._tables == 1:
            self._cells.clear()
        elif name == "p" and self._tables == 0:
            self._level = None

    def _end(self, name: str, element: Any) -> Iterator[Block]:
        if name == "t":
            self._text.append(element.text or "")
        elif name in _CHARACTERS:
            self._text.append(_CHARACTERS[name])
        elif name == "pStyle":
            self._level = self._levels.get(_attribute(element, "val") or "", self._level)
        elif name == "outlineLvl":
            value = _attribute(element, "val") or ""
            self._level = int(value) + 1 if value.isdecimal() and int(value) < 9 else self._level
        elif name == "p":
            yield from self._paragraph(element)
        elif name == "tc" and self._tables == 1:
            self._cells.append(clean_line(self._take()))
        elif name == "tr" and self._tables == 1:
            self._rows.append(" | ".join(cell for cell in self._cells if cell))
            self._drop(element)
            if len(self._rows) == _ROWS_PER_BLOCK:
                yield self._table()
        elif name == "tbl":
            self._tables -= 1
            if self._tables == 0 and self._rows:
                yield self._table()

    def _table(self) -> Block:
        rows = "\n".join(row for row in self._rows if row)
        self._rows.clear()
        return Block(rows, headings=self._headings.path)

    def _paragraph(self, element: Any) -> Iterator[Block]:
        if self._tables:
            self._text.append("\n")
            return
        text = self._take()
        if self._level is None:
            yield Block(clean(text), headings=self._headings.path)
        else:
            title = clean_line(text)
            yield Block(title, headings=self._headings.enter(self._level, title))
        self._drop(element)

    def _take(self) -> str:
        text = "".join(self._text)
        self._text.clear()
        return text

    @staticmethod
    def _drop(element: Any) -> None:
        """Let go of what was read, and of the empty elements before it."""
        element.clear()
        while (before := element.getprevious()) is not None and (parent := element.getparent()) is not None:
            parent.remove(before)
