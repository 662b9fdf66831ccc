"""Reads a provider's event stream: whole events pass as they came, usage and errors are kept, and what was
said is counted.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson
from shared.deltas import error_of, usage_of
from shared.surrogates import parse_json

from inference_service.completions.ragged import Mender
from inference_service.metering.estimate import Count

Json = dict[str, Any]

_EVENT_BYTES_MAX = 4 * 1024 * 1024
_END = b"\n\n"
_BOM = b"\xef\xbb\xbf"
_STARTS = (b"data:", b":", b"event:", b"id:", b"retry:")
_NAMED_ERROR = re.compile(rb"^event:[ ]?error$", re.MULTILINE)


class EventRelay:
    """Feeds on upstream bytes and gives back what may go downstream: whole events, in groups as they arrived,
    none joined or split.

    Usage is kept and taken out of the stream. [DONE], an error of the provider, a stream that is not what an
    OpenAI-compatible server sends (`broken` says how), and more output than `output_tokens_max` (`cut`) end
    it.
    """

    def __init__(self) -> None:
        self.done = False
        self.cut = False
        self.broken: str | None = None
        self.error: Json | None = None
        self.usage: Json | None = None
        self.usage_event: Json | None = None
        self.count = Count()
        self.output_tokens_max: int | None = None
        self._tail = b""
        self._first: Json | None = None
        self._started = False
        self._skip_lf = False
        self._speaking: set[int] = set()
        self._finished = False
        self._mender: Mender | None = None

    @property
    def ended(self) -> bool:
        """Nothing that follows is passed on."""
        return self.done or self.cut or self.broken is not None or self.error is not None

    @property
    def finished(self) -> bool:
        """The provider said that the answer is complete, with or without [DONE]."""
        if self.broken is not None or self.error is not None or self.cut:
            return False
        return self.finish_seen or self.usage_event is not None

    @property
    def finish_seen(self) -> bool:
        """Every choice has ended: only usage may still come."""
        return self.done or (self._finished and not self._speaking)

    def feed(self, chunk: bytes) -> bytes:
        """The events completed by `chunk`, possibly none. After [DONE] only late usage is read."""
        data = self._lines(chunk)
        if self._tail:
            data = self._tail + data
        end = data.rfind(_END)
        if end < 0:
            return self._keep(data)
        self._tail = data[end + 2 :]
        passed: list[bytes] = []
        untouched = True
        for event in data[:end].split(_END):
            try:
                kept = b"" if self.ended and not self.done else self._read(event)
            except orjson.JSONEncodeError:  # it can be read but not written: nested too deeply
                self._break()
                kept = b""
            untouched = untouched and kept is event
            if kept:
                passed.append(kept)
        if untouched:
            return data[: end + 2]
        return b"".join([event + _END for event in passed])

    def end(self) -> bytes:
        """Once the provider has closed: a last event without its empty line, when it is whole."""
        tail, self._tail = self._tail, b""
        payload = _payload(tail)
        if payload is None:
            return b""
        if payload != b"[DONE]":
            try:
                parse_json(payload)
            except ValueError:
                return b""
        return self.feed(tail.rstrip(b"\n") + _END)

    @property
    def answer_id(self) -> object:
        """The provider's id of the answer, as it came."""
        return (self._first or self.usage_event or {}).get("id")

    def final_event(self, model: str) -> Json:
        """The event that carries usage: the provider's own, or one made to fit the stream."""
        return self.usage_event if self.usage_event is not None else self._event(model, [])

    def cut_event(self, model: str) -> Json:
        """The event that ends every choice that was still speaking for its length."""
        nothing: Json = {}
        ends: list[Json] = [
            {"index": index, "delta": nothing, "finish_reason": "length"}
            for index in sorted(self._speaking or {0})
        ]
        return self._event(model, ends)

    def _event(self, model: str, choices: list[Json]) -> Json:
        like: Mapping[str, Any] = self._first or {}
        return {
            "id": like.get("id", ""),
            "object": "chat.completion.chunk",
            "created": like.get("created", 0),
            "model": like.get("model", model),
            "choices": choices,
        }

    def _lines(self, chunk: bytes) -> bytes:
        """`chunk` with line feeds only, and without a byte order mark at the very start."""
        if not self._started and chunk:
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _keep(self, data: bytes) -> bytes:
        if len(data) > _EVENT_BYTES_MAX:
            self.broken = f"an event is larger than {_EVENT_BYTES_MAX} bytes"
            data = b""
        self._tail = data
        return b""

    def _read(self, event: bytes) -> bytes:
        """`event` itself when it may pass as it is, what remains of it, or nothing."""
        if event.startswith(b"data:") and b"\n" not in event:
            payload = event[5:]
        else:
            event = event.strip(b"\n")
            if any(not line.startswith(_STARTS) for line in event.split(b"\n") if line):
                self.broken = None if self.done else "it is not a stream of server-sent events"
                return b""
            found = _payload(event)
            if found is None:
                return event
            payload = found
        try:
            parsed = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return self._read_ragged(payload.strip())
        if type(parsed) is not dict:
            self._break()
            return b""
        chunk = cast("Json", parsed)
        if self._mender is None:
            return self._take(chunk, event)
        return self._take(chunk, b"data: " + self._mender.mend(chunk))

    def _read_ragged(self, payload: bytes) -> bytes:
        """An event that strict JSON refuses: the end mark, halves of characters, or garbage."""
        if payload == b"[DONE]":
            self.done = True
            return b""
        if not payload:
            return b""
        try:
            chunk = parse_json(payload)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            self._break()
            return b""
        # From here on each event of this stream is looked at: the other half of a character may be in any of
        # them.
        self._mender = self._mender or Mender()
        members = cast("Json", chunk)
        return self._take(members, b"data: " + self._mender.mend(members))

    def _break(self) -> None:
        if not self.done:
            self.broken = "an event is not JSON"

    def _take(self, chunk: Json, event: bytes) -> bytes:
        """Count one event and keep what it says of usage, errors and the end; what may pass of it."""
        usage = chunk.get("usage")
        if usage.__class__ is dict:
            self._note_usage(cast("Json", usage))
        if self.done:
            return b""
        choices = chunk.get("choices")
        if choices.__class__ is list:
            for choice in cast("list[object]", choices):
                if choice.__class__ is dict:
                    self._take_choice(cast("Json", choice), chunk)
        if chunk.get("error") or (event.startswith(b"event") and _NAMED_ERROR.match(event)):
            self.error = error_of(chunk) or chunk
        if self.error is not None:
            return b""
        if self.output_tokens_max is not None and self.count.least_tokens > self.output_tokens_max:
            self.cut = True
            return b""
        if self._first is None:
            self._first = chunk
        return event if usage.__class__ is not dict else self._without_usage(chunk)

    def _take_choice(self, choice: Json, chunk: Json) -> None:
        index = choice.get("index") or 0
        delta = choice.get("delta") or choice.get("message")
        if delta.__class__ is dict:
            self.count.add(cast("Json", delta))
            self._speaking.add(index if isinstance(index, int) else 0)
        if reason := choice.get("finish_reason"):
            self._finished = True
            self._speaking.discard(index if isinstance(index, int) else 0)
            if self.usage is None and (usage := usage_of(chunk)) is not None:
                self._note_usage(usage)
            if str(reason).lower() == "error":
                self.error = error_of(chunk)
        if choice.get("error"):
            self.error = error_of(chunk)

    def _note_usage(self, report: Json) -> None:
        """Figures add to what was told before; a late zero takes nothing back."""
        known = self.usage or {}
        self.usage = {
            **known,
            **{name: value for name, value in report.items() if value or name not in known},
        }

    def _without_usage(self, chunk: Json) -> bytes:
        if not chunk.get("choices"):
            self.usage_event = chunk
            return b""
        # Usage beside content (or running totals on every event): the content passes, the figures wait for
        # settlement.
        del chunk["usage"]
        return b"data: " + orjson.dumps(chunk)


def _payload(event: bytes) -> bytes | None:
    """The data of one event; None for comments."""
    data = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(data) if data else None
