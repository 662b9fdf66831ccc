"""Reads a provider's event stream without parsing it, except the events that carry usage or an error."""

import re
from typing import Any, cast

import orjson

Json = dict[str, Any]

_EVENT_BYTES_MAX = 4 * 1024 * 1024
_END = b"\n\n"
_STARTS = (b"data:", b":", b"event:", b"id:", b"retry:")
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
# A quote inside a JSON string is always escaped, so these names only match real keys with a non-empty text.
_TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning|arguments|refusal)"\s*:\s*"((?:[^"\\]|\\.)+)"')
# One token is rarely longer; a provider that packs several into an event is counted by its bytes instead.
_TOKEN_BYTES_MAX = 32
_BYTES_PER_TOKEN = 4


def count_tokens(group: bytes) -> int:
    """Tokens in a group of events, taking each non-empty delta for one token; for when the provider reports none."""
    return sum(map(_tokens_of, _TEXT.findall(group)))


def _tokens_of(text: bytes) -> int:
    # An escape such as \\u00e9 stands for about two bytes of text.
    size_bytes = len(text) - 4 * text.count(b"\\u")
    return 1 if size_bytes <= _TOKEN_BYTES_MAX else -(-size_bytes // _BYTES_PER_TOKEN)


class EventRelay:
    """Feeds on upstream bytes and gives back what may go downstream: whole events, in groups as they arrived, none joined or split.

    Usage is kept and taken out of the stream. [DONE], an error of the provider, and a stream that is not what an OpenAI-compatible
    server sends (`broken` says how) end it.
    """

    def __init__(self) -> None:
        self.done = False
        self.broken: str | None = None
        self.error: Json | None = None
        self.usage: Json | None = None
        self.output_tokens = 0
        self.usage_event: Json | None = None
        self._tail = b""
        self._first = b""
        self._last = b""

    @property
    def ended(self) -> bool:
        """Nothing that follows counts."""
        return self.done or self.broken is not None or self.error is not None

    @property
    def finished(self) -> bool:
        """The provider said that the answer is complete, with or without [DONE]."""
        if self.broken is not None or self.error is not None:
            return False
        return self.done or self.usage is not None or _FINISH.search(self._last) is not None

    def feed(self, chunk: bytes) -> bytes:
        """The events completed by `chunk`, possibly none."""
        data = self._tail + chunk if self._tail else chunk
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        end = data.rfind(_END)
        if end < 0:
            return self._keep(data)
        group = data[: end + 2]
        self._tail = data[end + 2 :]
        if b'"usage"' in group or b'"error"' in group or b"[DONE]" in group or not self._looks_whole(group):
            group = self._sift(group)
        if group:
            self.output_tokens += count_tokens(group)
            self._first = self._first or group
            self._last = group
        return group

    def final_event(self, model: str) -> Json:
        """The event that carries usage: the provider's own, or one made to fit the stream."""
        if self.usage_event is not None:
            return self.usage_event
        like = self._first_event()
        return {
            "id": like.get("id", ""),
            "object": "chat.completion.chunk",
            "created": like.get("created", 0),
            "model": like.get("model", model),
            "choices": [],
        }

    def _keep(self, data: bytes) -> bytes:
        if len(data) > _EVENT_BYTES_MAX:
            self.broken = f"an event is larger than {_EVENT_BYTES_MAX} bytes"
            data = b""
        self._tail = data
        return b""

    @staticmethod
    def _looks_whole(group: bytes) -> bool:
        """Cheap: every event starts as data and ends like a JSON object. Anything else is looked at closely."""
        if not group.startswith(b"data:") or not group.endswith(b"}\n\n"):
            return False
        events = group.count(_END)
        return events == 1 or group.count(b"}\n\ndata:") == events - 1

    def _sift(self, group: bytes) -> bytes:
        passed: list[bytes] = []
        for event in group.split(_END):
            if self.ended:
                break
            if event.strip(b"\n"):
                passed.append(self._sift_event(event))
        return b"".join(passed)

    def _sift_event(self, event: bytes) -> bytes:
        if any(line and not line.startswith(_STARTS) for line in event.split(b"\n")):
            self.broken = "it is not a stream of server-sent events"
            return b""
        payload = _payload(event)
        if payload is None:
            return event + _END
        if payload == b"[DONE]":
            self.done = True
            return b""
        if not payload.endswith(b"}"):
            self.broken = "an event is not JSON"
            return b""
        if _ERROR.search(payload) is None and _USAGE.search(payload) is None:
            return event + _END
        return self._take(event, payload)

    def _take(self, event: bytes, payload: bytes) -> bytes:
        """Keep usage and errors of one event; what remains of it goes on."""
        try:
            parsed = cast("Json", orjson.loads(payload))
        except orjson.JSONDecodeError:
            self.broken = "an event is not JSON"
            return b""
        error = parsed.get("error")
        if error:
            self.error = cast("Json", error) if isinstance(error, dict) else {"message": str(error)}
            return b""
        usage = parsed.get("usage")
        if not isinstance(usage, dict):
            return event + _END
        self.usage = cast("Json", usage)
        if not parsed.get("choices"):
            self.usage_event = parsed
            return b""
        # Usage beside content (or running totals on every event): the content passes, the figures wait for settlement.
        del parsed["usage"]
        return b"data: " + orjson.dumps(parsed) + _END

    def _first_event(self) -> Json:
        payload = _payload(self._first.split(_END, 1)[0])
        try:
            parsed = orjson.loads(payload or b"{}")
        except orjson.JSONDecodeError:
            return {}
        return cast("Json", parsed) if isinstance(parsed, dict) else {}


def _payload(event: bytes) -> bytes | None:
    """The data of one event; None for comments."""
    data = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(data) if data else None
