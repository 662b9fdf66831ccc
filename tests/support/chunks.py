"""Chunks of scripted streams, and what is read from them."""

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from shared.deltas import (
    Delta,
    DeltaReader,
    Text,
    ToolCallPiece,
)


def chunk(delta: dict[str, Any], reason: str | None = None, **members: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **members}


def read(*chunks: dict[str, Any]) -> list[Delta]:
    reader = DeltaReader()
    parts = [part for each in chunks for part in reader.feed(each)]
    return parts + reader.end()


def said(parts: list[Delta], *, reasoning: bool = False) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text) and part.reasoning == reasoning)


def calls(parts: list[Delta]) -> list[tuple[str, str, dict[str, Any]]]:
    found: dict[int, list[Any]] = {}
    for part in parts:
        if isinstance(part, ToolCallPiece):
            call = found.setdefault(part.index, [None, "", {}])
            call[0] = call[0] or part.name
            call[1] += part.arguments
            call[2] |= part.extra
    return [tuple(found[index]) for index in sorted(found)]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


CUTS = st.lists(st.integers(0, 10_000), max_size=30)


def call(name: str | None = None, arguments: object = None, **members: Any) -> dict[str, Any]:
    function = {
        key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None
    }
    return {**members, "type": "function", "function": function}
