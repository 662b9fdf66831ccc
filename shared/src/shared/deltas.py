"""One reader of what OpenAI-like providers say in a chunk or a whole answer, whichever of their dialects they
speak.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

from shared.surrogates import SurrogateJoiner, mended, storable

Json = dict[str, Any]
Kind = Literal["text", "reasoning", "refusal"]

_KINDS: tuple[Kind, ...] = ("reasoning", "text", "refusal")
_REASONING_NAMES = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_PART_KINDS: Mapping[str, Kind] = {"thinking": "reasoning", "refusal": "refusal"}
_PART_TEXTS = ("text", "thinking", "refusal", "summary", "content")
_CALL_MEMBERS = frozenset({"index", "id", "type", "function"})
_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "safety": "content_filter",
}
_TAGS = ("think", "thinking", "thought")
_SPACE_CHARS_MAX = 64
_PART_DEPTH_MAX = 4
_CALLS_MAX = 512
_REASON_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer or of the reasoning before it."""

    reasoning: bool
    text: str


@dataclass(frozen=True, slots=True)
class RefusalText:
    """A piece of the model's own words for why it does not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallPiece:
    """A piece of a call the model makes: pieces of one call share `index`, id and name come with the first,
    arguments add up to JSON.

    `extra` holds members that a provider wants back with the call, such as Gemini's `extra_content`.
    """

    index: int
    call_id: str | None
    name: str | None
    arguments: str
    extra: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is over, and why: `stop`, `length`, `tool_calls`, `content_filter`, `error` or a word of the
    provider's own.
    """

    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The provider's figures as they came."""

    members: Json


Delta = Text | RefusalText | ToolCallPiece | Finished | UsageReport


class ThinkSplitter:
    """Tells reasoning that a model writes in a `<think>` block at the start of its answer from the answer,
    however the text is cut.
    """

    __slots__ = ("_close", "_held", "_skip_space", "_state")

    def __init__(self) -> None:
        self._state: Literal["start", "inside", "outside"] = "start"
        self._held = ""
        self._close = ""
        self._skip_space = False

    def feed(self, piece: str) -> list[tuple[Kind, str]]:
        """`piece` by kind, without the tags and the space around them."""
        if self._state == "outside" and not self._skip_space:
            return [("text", piece)]
        found: list[tuple[Kind, str]] = []
        text = self._held + piece
        self._held = ""
        if self._state == "start":
            text = self._open(text)
        if self._state == "inside":
            thought, text = self._inside(text)
            if thought:
                found.append(("reasoning", thought))
        if self._state == "outside" and (text := self._past_space(text)):
            found.append(("text", text))
        return found

    def end(self) -> list[tuple[Kind, str]]:
        """What was kept back as the possible begin of a tag."""
        held, self._held = self._held, ""
        kind: Kind = "reasoning" if self._state == "inside" else "text"
        self._state = "outside"
        return [(kind, held)] if held else []

    def _open(self, text: str) -> str:
        """What follows the opening tag, or all of it when there is none."""
        begin = text.lstrip()
        for name in _TAGS:
            if begin.startswith(f"<{name}>"):
                self._state, self._close, self._skip_space = "inside", f"</{name}>", True
                return begin[len(name) + 2 :]
        if len(text) - len(begin) <= _SPACE_CHARS_MAX and any(
            f"<{name}>".startswith(begin) for name in _TAGS
        ):
            self._held = text
            return ""
        self._state = "outside"
        return text

    def _inside(self, text: str) -> tuple[str, str]:
        text = self._past_space(text)
        thought, tag, rest = text.partition(self._close)
        if tag:
            self._state, self._skip_space = "outside", True
            return thought, rest
        keep = next(
            (size for size in range(len(self._close) - 1, 0, -1) if text.endswith(self._close[:size])), 0
        )
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], ""

    def _past_space(self, text: str) -> str:
        if self._skip_space:
            text = text.lstrip()
            self._skip_space = not text
        return text


@dataclass(slots=True)
class _Call:
    index: int
    given_index: int | None
    call_id: str | None
    name: str | None = None
    arguments: list[str] = field(default_factory=list[str])
    joiner: SurrogateJoiner = field(default_factory=SurrogateJoiner)

    def looks_whole(self) -> bool:
        """The arguments so far are a JSON object, so that another name begins another call."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self.arguments))
        except orjson.JSONDecodeError:
            return False
        return True


class ToolCallReader:
    """Numbers the calls of an answer: a new id begins a new call, whatever index the provider gives it."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def feed(self, entries: object) -> list[ToolCallPiece]:
        """The pieces in one `tool_calls` list."""
        pieces: list[ToolCallPiece] = []
        begun = len(self._calls)
        for entry in _mappings(entries):
            function = _mapping(entry.get("function"))
            call = self._call_of(entry, function, begun)
            if call.index >= _CALLS_MAX:
                self._calls.pop()
                break
            text = call.joiner.feed(_arguments(function.get("arguments")))
            call.arguments.append(text)
            fresh = call.name is None
            call.name = call.name or _string(function.get("name"))
            extra = cast(
                "Json", storable({name: value for name, value in entry.items() if name not in _CALL_MEMBERS})
            )
            pieces.append(
                ToolCallPiece(call.index, _string(entry.get("id")), call.name if fresh else None, text, extra)
            )
        return pieces

    def end(self) -> list[ToolCallPiece]:
        """Halves of characters that were never completed."""
        return [
            ToolCallPiece(call.index, None, None, text) for call in self._calls if (text := call.joiner.end())
        ]

    def _call_of(self, entry: Json, function: Json, begun: int) -> _Call:
        given = entry.get("index")
        index = given if isinstance(given, int) and not isinstance(given, bool) else None
        call_id, name = _string(entry.get("id")), _string(function.get("name"))
        known = next(
            (call for call in reversed(self._calls) if index is None or call.given_index == index), None
        )
        if (
            known is not None
            and call_id is not None
            and call_id != known.call_id
            and (known.call_id is not None or name is not None)
        ):
            # Without an index the id alone tells; one that is back after another call belongs to the older
            # one.
            known = next(
                (
                    call
                    for call in self._calls
                    if call.call_id == call_id and index in (None, call.given_index)
                ),
                None,
            )
        elif known is not None and call_id is None and name is not None and known.name is not None:
            twin = known.index >= begun
            known = None if twin or known.name != name or known.looks_whole() else known
        if known is None:
            known = _Call(len(self._calls), index, call_id)
            self._calls.append(known)
        known.call_id = known.call_id or call_id
        return known


class DeltaReader:
    """Reads the first choice of one completion, chunk by chunk or as a whole answer."""

    def __init__(self) -> None:
        self._joiners: dict[Kind, SurrogateJoiner] = {kind: SurrogateJoiner() for kind in _KINDS}
        self._splitter = ThinkSplitter()
        self._calls = ToolCallReader()
        self.finished = False

    def feed(self, chunk: Mapping[str, Any]) -> list[Delta]:
        """What one chunk says, in the order of an answer."""
        parts: list[Delta] = []
        choice = first_choice(chunk)
        delta = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
        if delta:
            parts += self._texts(delta)
            if calls := delta.get("tool_calls"):
                parts += self._calls.feed(calls)
        if reason := choice.get("finish_reason"):
            parts += self.end(str(reason))
        if (usage := usage_of(chunk)) is not None:
            parts.append(UsageReport(usage))
        return parts

    def end(self, reason: str = "stop") -> list[Delta]:
        """Once no more comes: what was kept back, and the end unless it was told already."""
        parts: list[Delta] = []
        for kind, joiner in self._joiners.items():
            parts += self._text(kind, joiner.end())
        parts += [_part(kind, text) for kind, text in self._splitter.end()]
        parts += self._calls.end()
        if not self.finished:
            self.finished = True
            parts.append(Finished(_reason(reason)))
        return parts

    def _texts(self, delta: Json) -> Iterator[Delta]:
        thought = next((value for name in _REASONING_NAMES if (value := delta.get(name))), None)
        for kind, text in _pieces(thought, "reasoning"):
            yield from self._text(kind, self._joiners[kind].feed(text))
        for kind, text in _pieces(delta.get("content"), "text"):
            yield from self._text(kind, self._joiners[kind].feed(text))
        for kind, text in _pieces(delta.get("refusal"), "refusal"):
            yield from self._text(kind, self._joiners[kind].feed(text))

    def _text(self, kind: Kind, text: str) -> Iterator[Delta]:
        # PostgreSQL text cannot hold NUL.
        if text := text.replace("\x00", ""):
            if kind != "text":
                yield _part(kind, text)
                return
            for found, piece in self._splitter.feed(text):
                yield _part(found, piece)


def read_answer(answer: Mapping[str, Any]) -> list[Delta]:
    """What a whole answer says."""
    reader = DeltaReader()
    return [*reader.feed(answer), *([] if reader.finished else reader.end())]


def first_choice(chunk: Mapping[str, Any]) -> Json:
    """The choice with index 0, or an empty one."""
    for choice in _mappings(chunk.get("choices")):
        if not choice.get("index"):
            return choice
    return {}


def usage_of(chunk: Mapping[str, Any]) -> Json | None:
    """The figures of a chunk, wherever its provider puts them."""
    for holder in (chunk, first_choice(chunk), _mapping(chunk.get("x_groq"))):
        if usage := _mapping(holder.get("usage")):
            return usage
    return None


def error_of(chunk: Mapping[str, Any]) -> Json | None:
    """What went wrong by the provider's own words, said of the whole answer or of a choice."""
    choice = first_choice(chunk)
    error = chunk.get("error") or choice.get("error")
    if error:
        named = cast("Json", error) if isinstance(error, dict) else {"message": str(error)}
        return cast("Json", storable(named))
    if str(choice.get("finish_reason")).lower() == "error":
        said = "".join(text for _, text in _pieces(_mapping(choice.get("delta")).get("content"), "text"))
        return {"message": mended(said).strip() or "the provider ended its answer with an error"}
    return None


def _part(kind: Kind, text: str) -> Delta:
    return RefusalText(text) if kind == "refusal" else Text(reasoning=kind == "reasoning", text=text)


def _pieces(content: object, kind: Kind, depth: int = 0) -> Iterator[tuple[Kind, str]]:
    """The texts of a string, of a part with a type, or of a list of both."""
    if isinstance(content, str):
        if content:
            yield kind, content
    elif depth > _PART_DEPTH_MAX:
        return
    elif isinstance(content, list):
        for part in cast("list[object]", content):
            yield from _pieces(part, kind, depth + 1)
    elif isinstance(content, dict):
        part = cast("Json", content)
        named = str(part.get("type", ""))
        inner = "reasoning" if named.startswith("reasoning") else _PART_KINDS.get(named, kind)
        for name in _PART_TEXTS:
            if value := part.get(name):
                yield from _pieces(value, inner, depth + 1)
                return


def _reason(word: str) -> str:
    """Why an answer ended, as it can be stored and sent: a provider's own word may be anything."""
    lower = str(storable(word.lower()))[:_REASON_CHARS_MAX]
    return _REASONS.get(lower, lower) or "stop"


def _arguments(value: object) -> str:
    """Arguments as the JSON text they are meant to be; some providers send the object itself."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    return "" if value is None else json.dumps(storable(value), ensure_ascii=False, separators=(",", ":"))


def _string(value: object) -> str | None:
    return cast("str", storable(value)) or None if isinstance(value, str) else None


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Json]:
    return (
        [cast("Json", entry) for entry in cast("list[object]", value) if isinstance(entry, dict)]
        if isinstance(value, list)
        else []
    )
