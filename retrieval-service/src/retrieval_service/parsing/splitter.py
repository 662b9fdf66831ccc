"""Cuts a document's text into passages that the embedding model reads whole. Pure: runs in the parsing
process and in tests.

A passage is a stretch of the text. It ends at a paragraph when one is near, else at a sentence or line, and
inside a sentence only when that alone is too long. It never leaves its page, and not its heading either,
except that small neighbours under the same top heading share one, and a heading with hardly any text of its
own goes with what follows it. Passages cut from one such group overlap.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Final

from retrieval_service.parsing.blocks import Section

CountTokens = Callable[[Sequence[str]], list[int]]

HEADING_SEPARATOR: Final = " › "
_CHARS_PER_TOKEN_MAX = 10  # a word of 5,000 letters is one token to the model, and no passage
_WINDOW_CHARS_PER_TOKEN = 2
_PARAGRAPH_SHARE = 0.6  # a passage may end this early to end with a paragraph
_TINY_SHARE = 0.2
_HEADING_CHARS_MAX = 400

_BREAK = re.compile(r"(?<=[.!?…:;])[ \t]+|(?<=[。！？])|[ \t]*\n\s*")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """One passage: text[start:end], `tokens` long."""

    start: int
    end: int
    page: int | None
    heading: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is not cut further. `glued`: no white space before it, so tokens of it and its neighbour may not
    add up.
    """

    start: int
    end: int
    tokens: int
    paragraph: bool
    glued: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Sections that are packed together, with their atoms."""

    sections: tuple[Section, ...]
    atoms: tuple[_Atom, ...]

    @property
    def tokens(self) -> int:
        return sum(atom.tokens for atom in self.atoms)


class Splitter:
    """For passages of `tokens_max` tokens at most that repeat `overlap_tokens` at most of the one before."""

    def __init__(self, count: CountTokens, *, tokens_max: int, overlap_tokens: int) -> None:
        self._count = count
        self._tokens_max = tokens_max
        self._overlap = min(overlap_tokens, tokens_max // 2)
        self._chars_max = tokens_max * _CHARS_PER_TOKEN_MAX

    def split(self, text: str, sections: Sequence[Section]) -> Iterator[Piece]:
        """Passages in the order of the text; every character that is not white space is in one."""
        for group in self._groups(text, sections):
            yield from self._pack(text, group)

    def _groups(self, text: str, sections: Sequence[Section]) -> Iterator[_Group]:
        group: _Group | None = None
        for section in sections:
            new = _Group((section,), tuple(self._atoms(text, section)))
            if not new.atoms:
                continue
            if group is None:
                group = new
            elif self._belong_together(group, new):
                group = _Group(group.sections + new.sections, group.atoms + new.atoms)
            else:
                yield group
                group = new
        if group is not None:
            yield group

    def _belong_together(self, group: _Group, new: _Group) -> bool:
        last, following = group.sections[-1], new.sections[0]
        if last.page != following.page:
            return False
        tokens = group.tokens
        if last.headings[:1] == following.headings[:1] and tokens + new.tokens <= self._tokens_max:
            return True
        deeper = following.headings[: len(last.headings)] == last.headings
        return deeper and tokens <= self._tokens_max * _TINY_SHARE

    def _atoms(self, text: str, section: Section) -> Iterator[_Atom]:
        """Sentences and lines of a section, the long ones cut."""
        spans = list(_spans(text, section.start, section.end))
        counts = self._count([text[start:end] for start, end in spans])
        before = section.start
        for number, ((start, end), tokens) in enumerate(zip(spans, counts, strict=True)):
            paragraph = number == 0 or "\n\n" in text[before:start]
            before = end
            if tokens <= self._tokens_max and end - start <= self._chars_max:
                yield _Atom(start, end, tokens, paragraph, glued=_is_glued(text, start))
            else:
                yield from self._windows(text, start, end, paragraph)

    def _windows(self, text: str, start: int, end: int, paragraph: bool) -> Iterator[_Atom]:
        """A long sentence, cut at spaces where it has some."""
        windows = list(_cut(text, start, end, self._tokens_max * _WINDOW_CHARS_PER_TOKEN))
        counts = self._count([text[first:last] for first, last in windows])
        for (first, last), tokens in zip(windows, counts, strict=True):
            if tokens <= self._tokens_max:
                yield _Atom(first, last, tokens, paragraph and first == start, glued=_is_glued(text, first))
            else:
                middle = (first + last) // 2
                yield from self._windows(text, first, middle, paragraph and first == start)
                yield from self._windows(text, middle, last, paragraph=False)

    def _pack(self, text: str, group: _Group) -> Iterator[Piece]:
        atoms, at = group.atoms, 0
        carried_start, carried_tokens = atoms[0].start, 0
        while at < len(atoms):
            if carried_tokens == 0 or not self._fits(carried_start, carried_tokens, atoms[at]):
                carried_start, carried_tokens = atoms[at].start, 0
            end = self._end(atoms, at, carried_start, carried_tokens)
            start, end, tokens = self._measured(text, atoms, at, end, carried_start, carried_tokens)
            last = atoms[end - 1].end
            yield Piece(start, last, group.sections[0].page, _heading_of(group.sections, start, last), tokens)
            carried_start, carried_tokens = self._overlap_before(text, atoms, at, end)
            at = end

    def _fits(self, start: int, tokens: int, atom: _Atom) -> bool:
        return tokens + atom.tokens <= self._tokens_max and atom.end - start <= self._chars_max

    def _end(self, atoms: Sequence[_Atom], at: int, start: int, tokens: int) -> int:
        """The index after the last atom of the passage that begins with atom `at`."""
        paragraph_end = 0
        for index in range(at, len(atoms)):
            atom = atoms[index]
            if index > at:
                if atom.paragraph and tokens >= self._tokens_max * _PARAGRAPH_SHARE:
                    paragraph_end = index
                if not self._fits(start, tokens, atom):
                    return paragraph_end or index
            tokens += atom.tokens
        return len(atoms)

    def _measured(
        self, text: str, atoms: Sequence[_Atom], at: int, end: int, carried_start: int, carried_tokens: int
    ) -> tuple[int, int, int]:
        """(start, end index, tokens), counted again where the sum of the atoms may not be what the model
        reads.
        """
        start = carried_start
        while _has_glue(atoms, start, end):
            (tokens,) = self._count([text[start : atoms[end - 1].end]])
            if tokens <= self._tokens_max:
                return start, end, tokens
            if end - at > 1:
                end -= 1
            elif start < atoms[at].start:
                start, carried_tokens = atoms[at].start, 0
            else:
                break
        return start, end, carried_tokens + sum(atom.tokens for atom in atoms[at:end])

    def _overlap_before(self, text: str, atoms: Sequence[_Atom], at: int, end: int) -> tuple[int, int]:
        """(start, tokens) of what the next passage repeats: whole sentences, else the last words of a long
        one.
        """
        stop = atoms[end - 1].end
        start, tokens, total = stop, 0, 0
        for atom in reversed(atoms[at + 1 : end]):
            total += atom.tokens
            if total > self._overlap:
                break
            if not atom.glued:
                start, tokens = atom.start, total
        if tokens:
            (tokens,) = self._count([text[start:stop]])
        if self._overlap == 0 or 0 < tokens <= self._overlap:
            return start, tokens
        start, tokens = stop, 0
        last = atoms[end - 1]
        words = list(_WORD.finditer(text, last.start, last.end))[1:]
        counts = self._count([word[0] for word in words])
        for word, count in zip(reversed(words), reversed(counts), strict=True):
            if tokens + count > self._overlap:
                break
            start, tokens = word.start(), tokens + count
        return start, tokens


def _spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Stretches between breaks, without the white space around them."""
    breaks = [(found.start(), found.end()) for found in _BREAK.finditer(text, start, end)]
    edges = [(start, start), *breaks, (end, end)]
    for (_, first), (last, _) in pairwise(edges):
        yield from _trimmed(text, first, last)


def _cut(text: str, start: int, end: int, chars_max: int) -> Iterator[tuple[int, int]]:
    while end - start > chars_max:
        space = text.rfind(" ", start + chars_max // 2, start + chars_max)
        cut = space if space > 0 else start + chars_max
        yield from _trimmed(text, start, cut)
        start = cut
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    stretch = text[start:end]
    if kept := stretch.strip():
        first = start + len(stretch) - len(stretch.lstrip())
        yield first, first + len(kept)


def _has_glue(atoms: Sequence[_Atom], start: int, end: int) -> bool:
    """Whether neighbours touch between `start` and the end of the last of `atoms[:end]`."""
    inside = takewhile(lambda atom: atom.start > start, (atoms[index] for index in range(end - 1, -1, -1)))
    return any(atom.glued for atom in inside)


def _is_glued(text: str, start: int) -> bool:
    return start > 0 and not text[start - 1].isspace()


def _heading_of(sections: Sequence[Section], start: int, end: int) -> str | None:
    """Of the section that most of the passage is from."""
    most = max(sections, key=lambda section: min(section.end, end) - max(section.start, start))
    return HEADING_SEPARATOR.join(most.headings)[:_HEADING_CHARS_MAX] or None
