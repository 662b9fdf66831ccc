"""Text of providers that is not quite Unicode: characters cut into two halves, bytes that are not UTF-8."""

import json
from collections.abc import Callable
from typing import cast

import orjson

# What can be written as JSON again: orjson writes 254 levels and integers of 64 bits.
_DEPTH_MAX = 200
_INTEGER_BITS = 63


def parse_json(data: bytes) -> object:
    """JSON of a provider, also with halves of surrogate pairs or bytes that are not UTF-8, which strict
    parsers refuse.

    Strings of the result may hold lone surrogates; integers above 64 bits are floats. Raises: ValueError,
    also for what is nested so deeply that it cannot be written.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        text = data.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
    try:
        value = cast("object", json.loads(text, parse_int=_integer))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    _check_depth(value)
    return value


def _integer(digits: str) -> int | float:
    number = float(digits)
    return int(digits) if abs(number) < 2.0**_INTEGER_BITS else number


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEPTH_MAX):
        level = [inner for entry in level for inner in _inside(entry)]
        if not level:
            return
    raise ValueError("the JSON is nested too deeply")


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


def mended(text: str) -> str:
    """`text` with surrogate pairs joined and lone halves replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mended_json(value: object) -> object:
    """A JSON value whose texts can all be written as UTF-8."""
    return _each_text(value, mended)


def storable(value: object) -> object:
    """As `mended_json`, and without NUL, which PostgreSQL does not take."""
    return _each_text(value, lambda text: mended(text).replace("\x00", ""))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(entry, change) for entry in cast("list[object]", value)]
    if isinstance(value, dict):
        return {
            _each_text(name, change): _each_text(entry, change)
            for name, entry in cast("dict[object, object]", value).items()
        }
    return value


class SurrogateJoiner:
    """Joins a character whose two halves came in two pieces of one text."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def feed(self, piece: str) -> str:
        """What is whole now."""
        if piece.isascii() and not self._held:
            return piece
        text = self._held + piece
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held, text = text[-1], text[:-1]
        return mended(text)

    def end(self) -> str:
        """A half that never found its other one."""
        held, self._held = self._held, ""
        return "\ufffd" if held else ""
