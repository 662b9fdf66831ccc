"""The text of a document as its readers give it: block by block, each with its page and the headings it
stands under.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from retrieval_service.parsing.errors import too_much_text

BETWEEN_BLOCKS: Final = "\n\n"
_HEADINGS_MAX = 6
_HEADING_CHARS_MAX = 120

# Control and format characters that carry no text; tab and line feed stay. A soft hyphen only says where a
# word may break.
_DROPPED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_TRAILING = re.compile(r"[ \t]+(?=\n|$)")
_BLANK_LINES = re.compile(r"\n{3,}")
_RUN = re.compile(r"[ \t\n]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a table row, a page: text that belongs together."""

    text: str
    page: int | None = None
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the document's text on one page under one heading."""

    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]


def clean(text: str) -> str:
    """NFC, line feeds only, no control characters, no spaces at the end of lines, one blank line at a time,
    none around it.
    """
    text = _SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    text = unicodedata.normalize("NFC", _DROPPED.sub("", text))
    return _BLANK_LINES.sub(BETWEEN_BLOCKS, _TRAILING.sub("", text)).strip("\n")


def clean_line(text: str) -> str:
    """As `clean`, and all on one line: what headings and table cells need."""
    return _RUN.sub(" ", clean(text)).strip()


class HeadingPath:
    """The headings above the current place, by level from 1."""

    def __init__(self) -> None:
        self._levels: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> tuple[str, ...]:
        """A heading begins; those of its level and below end."""
        self._levels = [(depth, text) for depth, text in self._levels if depth < level]
        if title:
            self._levels.append((level, title[:_HEADING_CHARS_MAX]))
        return self.path

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._levels[:_HEADINGS_MAX])


class DocumentText:
    """Collects blocks into one text. Blocks must be clean."""

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._parts: list[str] = []
        self._length = 0
        self.sections: list[Section] = []

    def add(self, block: Block) -> None:
        """Raises: DocumentRefused when the text gets too long."""
        if not block.text:
            return
        if self._parts:
            self._parts.append(BETWEEN_BLOCKS)
            self._length += len(BETWEEN_BLOCKS)
        start = self._length
        self._parts.append(block.text)
        self._length += len(block.text)
        if self._length > self._chars_max:
            raise too_much_text(self._chars_max)
        last = self.sections[-1] if self.sections else None
        if last is not None and (last.page, last.headings) == (block.page, block.headings):
            start = self.sections.pop().start
        self.sections.append(Section(start, self._length, block.page, block.headings))

    @property
    def text(self) -> str:
        return "".join(self._parts)
