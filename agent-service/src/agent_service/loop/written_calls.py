"""Tool calls that a model writes out as text instead of making them.

Small models sometimes answer with the bare JSON of a call. It is taken as the call when the whole answer is
one such object (fenced or not) that names an offered tool; until that is clear its text is kept back, so that
nobody is shown half a call.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, cast

import orjson

_HELD_CHARS_MAX = 16_000
_FENCES = ("```json", "```")
# Words of the schema that small models copy in among the arguments.
_SCHEMA_WORDS = frozenset({"type", "properties", "required", "additionalProperties"})


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call in the words of the model: the arguments are JSON text, as those of a real call."""

    name: str
    arguments: str


class HeldText:
    """The text of one model step on its way to the reader. `offered`: the tools the model may call, each with
    its parameters' names.
    """

    def __init__(self, offered: Mapping[str, AbstractSet[str]]) -> None:
        self._offered = offered
        self._held = ""
        self._open = not offered

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        if self._open:
            return piece
        self._held += piece
        if _may_be_call(self._held.lstrip()) and len(self._held) <= _HELD_CHARS_MAX:
            return ""
        return self._release()

    def end(self) -> tuple[WrittenCall | None, str]:
        """At the end of the answer: the call it was, or the text that was kept back."""
        if self._open:
            return None, ""
        call = _parse(self._held, self._offered)
        return call, "" if call else self._release()

    def _release(self) -> str:
        self._open = True
        held, self._held = self._held, ""
        return held


def _may_be_call(head: str) -> bool:
    """Whether text with this beginning can still become a call."""
    if not head or head.startswith("{"):
        return True
    for fence in _FENCES:
        if fence.startswith(head):
            return True
        if head.startswith(fence):
            inner = head[len(fence) :].lstrip()
            return not inner or inner.startswith("{")
    return False


def _parse(text: str, offered: Mapping[str, AbstractSet[str]]) -> WrittenCall | None:
    body = text.strip()
    for fence in _FENCES:
        body = body.removeprefix(fence)
    try:
        found = orjson.loads(body.strip().removesuffix("```"))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    members = cast("dict[str, Any]", found)
    name, arguments = members.get("name"), members.get("arguments", members.get("parameters"))
    if not isinstance(name, str) or name not in offered or not isinstance(arguments, dict):
        return None
    copied = _SCHEMA_WORDS - offered[name]
    kept = {key: value for key, value in cast("dict[str, Any]", arguments).items() if key not in copied}
    return WrittenCall(name, orjson.dumps(kept).decode())
