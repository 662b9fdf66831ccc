"""Columns of a page that was drawn row by row: the text of each column, where the page itself would fuse
their lines. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

_LINES_MIN: Final = 4
_GUTTER_HEIGHTS_MIN: Final = 0.8  # of a line's height: wider than any blank between words
_PITCH_HEIGHTS_MAX: Final = 2.2
# A cell of a table is short; a line of a column holds a good part of a sentence.
_CELL_HEIGHTS_MIN: Final = 9.0


@dataclass(frozen=True, slots=True)
class TextRun:
    """A stretch of text on one line, in points from the left and the bottom of the page; `index` is its place
    on the page.
    """

    index: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom


Line = tuple[TextRun, ...]


def lines_of(runs: Sequence[TextRun]) -> list[Line]:
    """Runs as they were drawn, joined while they go on to the right on the same height."""
    lines: list[list[TextRun]] = []
    for run in runs:
        last = lines[-1][-1] if lines else None
        if last is not None and _beside(last, run):
            lines[-1].append(run)
        else:
            lines.append([run])
    return [tuple(line) for line in lines]


def _beside(last: TextRun, run: TextRun) -> bool:
    shared = min(last.top, run.top) - max(last.bottom, run.bottom)
    return shared > 0.5 * min(last.height, run.height) and run.left >= last.right - 0.3 * run.height


def in_reading_order(lines: Sequence[Line]) -> list[Line] | None:
    """The lines with the columns one after the other; None when there are none that were drawn row by row."""
    ordered: list[Line] = []
    changed = False
    at = 0
    while at < len(lines):
        end, gutter = _block(lines, at)
        if gutter is None:
            ordered.append(lines[at])
            at += 1
            continue
        changed = True
        ordered += _columns(lines[at:end], gutter)
        at = end
    return ordered if changed else None


def _columns(lines: Sequence[Line], gutter: float) -> Iterator[Line]:
    left = [part for line in lines if (part := tuple(run for run in line if run.right <= gutter))]
    right = [part for line in lines if (part := tuple(run for run in line if run.left >= gutter))]
    yield from left
    yield from in_reading_order(right) or right


def _block(lines: Sequence[Line], at: int) -> tuple[int, float | None]:
    """(end, middle of the gutter) of the longest stretch from `at` whose lines keep one gutter free; None:
    too short, or a table.
    """
    gutter: tuple[float, float] | None = None
    both, end = 0, at
    for index in range(at, len(lines)):
        line = lines[index]
        narrowed = _first_gap(line, gutter)
        if narrowed is not None:
            gutter, both, end = narrowed, both + 1, index + 1
        elif gutter is None or not _keeps_free(line, gutter):
            break
        elif index == end and _is_next(lines[index - 1][0], line[0]):
            end = index + 1  # the longer column continues alone
    if (
        gutter is None
        or both < _LINES_MIN
        or not _is_prose(lines[at:end], middle := (gutter[0] + gutter[1]) / 2)
    ):
        return at, None
    return end, middle


def _first_gap(line: Line, within: tuple[float, float] | None) -> tuple[float, float] | None:
    """The first stretch between runs wide enough for a gutter, inside `within` if that is given."""
    for last, run in pairwise(line):
        left, right = last.right, run.left
        if within is not None:
            left, right = max(left, within[0]), min(right, within[1])
        if right - left >= _GUTTER_HEIGHTS_MIN * min(last.height, run.height):
            return left, right
    return None


def _is_next(above: TextRun, run: TextRun) -> bool:
    return 0 < above.bottom - run.bottom <= _PITCH_HEIGHTS_MAX * above.height


def _keeps_free(line: Line, gutter: tuple[float, float]) -> bool:
    return all(run.right <= gutter[0] or run.left >= gutter[1] for run in line)


def _is_prose(lines: Sequence[Line], gutter: float) -> bool:
    """Whether what stands on both sides is long, as lines of sentences are."""
    widths: dict[bool, list[float]] = {True: [], False: []}
    for line in lines:
        for side, runs in groupby(line, key=lambda run: run.left >= gutter):
            part = list(runs)
            widths[side].append((part[-1].right - part[0].left) / max(part[0].height, 1))
    return all(found and sorted(found)[len(found) // 2] >= _CELL_HEIGHTS_MIN for found in widths.values())
