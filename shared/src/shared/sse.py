"""Server-sent events: writing them, and reading them from any split of the bytes."""

from dataclasses import dataclass
from typing import Any

import orjson


class SseTooLarge(ValueError):
    """An event or a line grew beyond the parser's bound."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """`event` is "message" when the stream names none. `data` joins the data lines by a line feed. `id` is
    the last one seen.
    """

    event: str
    data: bytes
    id: str | None


def encode(event: str | None, data: bytes | str | Any, event_id: int | str | None = None) -> bytes:
    """One event as bytes, ended by an empty line. Anything but bytes and str is written as JSON.

    Raises:
        ValueError: a line break or NUL in `event` or `event_id`, which would start another field.
    """
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else orjson.dumps(data)
    head = b""
    if event_id is not None:
        head = b"id: " + _field(str(event_id)) + b"\n"
    if event is not None:
        head += b"event: " + _field(event) + b"\n"
    if b"\n" in raw or b"\r" in raw:
        lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
    return head + b"data: " + raw + b"\n\n"


def comment(text: str = "ping") -> bytes:
    """A line that keeps connections open and no reader sees."""
    return b": " + _field(text) + b"\n\n"


def _field(text: str) -> bytes:
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("an SSE event name or id holds a line break or NUL")
    return text.encode()


class SseParser:
    """Feeds on bytes as they come and gives the events that are complete; an unfinished last event is
    dropped.

    Follows the event stream interpretation of the HTML standard (section 9.2.6): CR, LF and CRLF end a line,
    one leading BOM is ignored, an event without data is no event.
    """

    def __init__(self, event_size_max: int = 8 * 1024 * 1024) -> None:
        self._event_size_max = event_size_max
        self._rest = b""
        self._first = True
        self._skip_lf = False
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0
        self._last_id: str | None = None

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that end within `data`. Raises SseTooLarge."""
        text = self._take(data)
        if b"\r" in text:
            self._skip_lf = text.endswith(b"\r")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) + self._size > self._event_size_max:
            raise SseTooLarge(f"an event is larger than {self._event_size_max} bytes")
        events: list[SseEvent] = []
        for line in lines:
            if line:
                self._line(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def _take(self, data: bytes) -> bytes:
        """What was left over plus `data`, without a BOM at the very start and without the LF of a
        split CRLF.
        """
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        text = self._rest + data if self._rest else data
        if self._first and text:
            if len(text) < 3 and b"\xef\xbb\xbf".startswith(text):
                return text  # perhaps a BOM: it holds no line end, so it waits whole in the rest
            self._first = False
            text = text.removeprefix(b"\xef\xbb\xbf")
        return text

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + 1
            if self._size > self._event_size_max:
                raise SseTooLarge(f"an event is larger than {self._event_size_max} bytes")
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._last_id = value.decode("utf-8", "replace")

    def _dispatch(self) -> SseEvent | None:
        event, data = self._event, self._data
        self._event, self._data, self._size = "", [], 0
        if not data:
            return None
        return SseEvent(event=event or "message", data=b"\n".join(data), id=self._last_id)
