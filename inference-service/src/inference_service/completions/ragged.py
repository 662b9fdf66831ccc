"""Mends a stream whose characters were cut into two halves over two events."""

from typing import Any, cast

import orjson
from shared.surrogates import SurrogateJoiner, mended_json

Json = dict[str, Any]
_Path = tuple[object, ...]

_DEPTH_MAX = 6
_TEXTS_MAX = 1000


class Mender:
    """One per stream: `mend` changes a chunk so that its texts are whole, and keeps an open half for the next
    one.
    """

    def __init__(self) -> None:
        self._joiners: dict[_Path, SurrogateJoiner] = {}

    def mend(self, chunk: Json) -> bytes:
        """The chunk as JSON; its texts are mended in place."""
        choices = chunk.get("choices")
        for choice in cast("list[object]", choices) if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                self._mend_choice(cast("Json", choice))
        return orjson.dumps(mended_json(chunk))

    def _mend_choice(self, choice: Json) -> None:
        index = _place(choice.get("index"), 0)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._join(cast("Json", delta), (index,))
        if not choice.get("finish_reason"):
            return
        rest = {
            path[1]: joiner.end()
            for path, joiner in self._joiners.items()
            if path[0] == index and len(path) == 2 and joiner.holds
        }
        if rest:
            texts: Json = cast("Json", delta) if isinstance(delta, dict) else {}
            choice["delta"] = {
                **texts,
                **{str(name): f"{texts.get(str(name)) or ''}{text}" for name, text in rest.items()},
            }

    def _join(self, holder: Json, path: _Path) -> None:
        for name, value in holder.items():
            here = (*path, name)
            if isinstance(value, str):
                joiner = self._joiners.get(here)
                if joiner is None and len(self._joiners) < _TEXTS_MAX:
                    joiner = self._joiners[here] = SurrogateJoiner()
                if joiner is not None:
                    holder[name] = joiner.feed(value)
            elif isinstance(value, dict):
                self._join(cast("Json", value), here)
            elif isinstance(value, list) and len(path) < _DEPTH_MAX:
                self._join_list(cast("list[object]", value), here)

    def _join_list(self, entries: list[object], path: _Path) -> None:
        for place, entry in enumerate(entries):
            if isinstance(entry, dict):
                members = cast("Json", entry)
                self._join(members, (*path, _place(members.get("index"), place)))


def _place(index: object, default: int) -> int:
    return index if isinstance(index, int) else default
