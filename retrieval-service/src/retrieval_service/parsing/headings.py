"""The headings of a Markdown text that stand at its top level: not inside a list, a quote or code. Pure.

After CommonMark 0.31, and tables as GitHub has them, but only as far as this question goes: what lies inside
a list item or a quote is skipped, however deep it is nested, so every line is looked at once. A whole parser
took four minutes over 4 MB of nested lists.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_ATX: Final = re.compile(r"(#{1,6})(?:[ \t]+(.*))?$")
_ATX_END: Final = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
_SETEXT: Final = re.compile(r"(=+|-+)[ \t]*$")
_BREAK: Final = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_FENCE: Final = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})")
_MARKER: Final = re.compile(r"(?:[-+*]|(\d{1,9})[.)])(?=[ \t]|$)")
_DELIMITERS: Final = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
# Begin and end of HTML that is taken as it stands, after section 4.6 of the specification; None: it ends with
# a blank line.
_RAW: Final = (
    (
        re.compile(r"<(?:script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE),
        re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE),
    ),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<![A-Z]"), re.compile(r">")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
    (
        re.compile(
            r"</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt"
            r"|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem"
            r"|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)"
            r"(?=\s|/?>|$)",
            re.IGNORECASE,
        ),
        None,
    ),
)
_MARKERS_MAX: Final = 20  # of containers that begin on one line: what is deeper is taken for text
_TITLE_CHARS_MAX: Final = 1_000
_LONE_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>[ \t]*$")


@dataclass(frozen=True, slots=True)
class Heading:
    """`line` is its first, from 0; `title` still holds its inline marks."""

    level: int
    title: str
    line: int


def headings(lines: Sequence[str]) -> Iterator[Heading]:
    """In their order."""
    scan = _Scan()
    for number, line in enumerate(lines):
        if (found := scan.line(number, line)) is not None:
            yield found


class _Scan:
    """Where the reader stands, line after line."""

    def __init__(self) -> None:
        self._fence: str | None = None
        self._raw: re.Pattern[str] | None = None
        self._raw_to_blank = False
        self._table = False
        self._item: int | None = None  # the column its content begins at
        self._item_empty = False
        self._quote = False
        self._inner = _Inner()
        self._paragraph: list[str] = []
        self._begun = 0

    def line(self, number: int, line: str) -> Heading | None:
        """The heading that this line completes."""
        indent, rest = _indent(line)
        if self._is_inside(indent, rest):
            return None
        if not rest:
            self._blank()
            return None
        if self._item is not None and indent >= self._item:
            self._inner.line(indent - self._item, rest)
            self._item_empty = False
            return None
        return self._outer(number, indent, rest)

    def _is_inside(self, indent: int, rest: str) -> bool:
        """Code and raw HTML, to their ends."""
        if self._fence is not None:
            if indent < 4 and rest.startswith(self._fence) and not rest.strip(self._fence[0] + " \t"):
                self._fence = None
            return True
        if self._raw is not None:
            if self._raw.search(rest):
                self._raw = None
            return True
        if self._raw_to_blank:
            self._raw_to_blank = bool(rest)
            return bool(rest)
        return False

    def _blank(self) -> None:
        self._paragraph.clear()
        self._table = self._quote = False
        if self._item_empty:
            self._item, self._item_empty = None, False
        self._inner.blank()

    def _outer(self, number: int, indent: int, rest: str) -> Heading | None:
        lazy = (self._item is not None or self._quote) and self._inner.paragraph
        if indent >= 4:
            if self._paragraph:
                self._paragraph.append(rest)
            elif not lazy:
                self._close()
            return None
        if rest.startswith(">"):
            self._enter_quote(rest)
        elif (atx := _ATX.match(rest)) is not None:
            self._close()
            return Heading(len(atx[1]), _ATX_END.sub("", (atx[2] or "")[:_TITLE_CHARS_MAX]).strip(), number)
        elif (fence := _FENCE.match(rest)) is not None:
            self._close()
            self._fence = fence[1]
        elif self._paragraph and (underline := _SETEXT.match(rest)) is not None:
            heading = Heading(
                1 if underline[1][0] == "=" else 2, "\n".join(self._paragraph).strip(), self._begun
            )
            self._close()
            return heading
        elif _BREAK.match(rest):
            self._close()
        elif not self._enter_item(indent, rest) and not self._enter_raw(rest, lazy=lazy) and not lazy:
            self._text(number, rest)
        return None

    def _close(self) -> None:
        """Whatever was open."""
        self._paragraph.clear()
        self._table = self._quote = self._item_empty = False
        self._item = None
        self._inner = _Inner()

    def _enter_quote(self, rest: str) -> None:
        if not self._quote:
            self._close()
            self._quote = True
        content = rest[1:]
        indent, text = _indent(content)
        if text:
            self._inner.line(max(0, indent - 1), text)
        else:
            self._inner.blank()

    def _enter_item(self, indent: int, rest: str) -> bool:
        marker = _MARKER.match(rest)
        if marker is None:
            return False
        spaces, content = _indent(rest[marker.end() :], at=indent + marker.end())
        if self._paragraph and (not content or (marker[1] is not None and int(marker[1]) != 1)):
            return False  # a year at the begin of a line is no list
        self._close()
        self._item = indent + marker.end() + (spaces if content and spaces <= 4 else 1)
        self._item_empty = not content
        if content:
            self._inner.line(spaces - 1 if spaces > 4 else 0, content)
        return True

    def _enter_raw(self, rest: str, *, lazy: bool) -> bool:
        if not rest.startswith("<"):
            return False
        for begin, end in _RAW:
            if begin.match(rest):
                self._close()
                if end is None:
                    self._raw_to_blank = True
                elif not end.search(rest):
                    self._raw = end
                return True
        if self._paragraph or self._table or lazy or not _LONE_TAG.match(rest):
            return False
        self._close()
        self._raw_to_blank = True
        return True

    def _text(self, number: int, rest: str) -> None:
        if self._table:
            return
        if (
            self._paragraph
            and "|" in rest
            and _DELIMITERS.match(rest.rstrip())
            and _columns(self._paragraph[-1]) == _columns(rest)
        ):
            self._close()
            self._table = True
            return
        if not self._paragraph:
            self._close()
            self._begun = number
        self._paragraph.append(rest)


class _Inner:
    """Inside a list item or a quote: only whether its last line was that of a paragraph, which the next line
    may continue.
    """

    def __init__(self) -> None:
        self.paragraph = False
        self._fence: str | None = None

    def line(self, indent: int, rest: str) -> None:
        for _ in range(_MARKERS_MAX):
            if self._fence is not None:
                if rest.startswith(self._fence) and not rest.strip(self._fence[0] + " \t"):
                    self._fence = None
                return
            if indent >= 4 and not self.paragraph:
                return
            marker = _MARKER.match(rest) if not _BREAK.match(rest) else None
            if marker is None and not rest.startswith(">"):
                break
            self.paragraph = False
            indent, rest = _indent(rest[marker.end() if marker else 1 :])
            indent = max(0, indent - 1)
            if not rest:
                return
        if (fence := _FENCE.match(rest)) is not None:
            self._fence, self.paragraph = fence[1], False
        elif _ATX.match(rest) or _BREAK.match(rest) or (self.paragraph and _SETEXT.match(rest)):
            self.paragraph = False
        else:
            self.paragraph = True

    def blank(self) -> None:
        self.paragraph = False


def _indent(line: str, *, at: int = 0) -> tuple[int, str]:
    """Columns of white space, tabs counted to the next multiple of four from column `at`, and what follows
    without its end.
    """
    rest = line.lstrip(" \t")
    blank = line[: len(line) - len(rest)]
    if "\t" not in blank:
        return len(blank), rest.rstrip()
    column = at
    for character in blank:
        column += 4 - column % 4 if character == "\t" else 1
    return column - at, rest.rstrip()


def _columns(row: str) -> int:
    return row.replace("\\|", "").strip(" \t").strip("|").count("|") + 1
