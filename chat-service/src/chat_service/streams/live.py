"""The log of a reply while it streams: its owner appends, any number of readers follow, the journal takes
what is new.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

import orjson
from shared.sse import encode
from shared.wakeups import set_within

Kind = Literal[
    "message",
    "waiting",
    "step",
    "tool",
    "citation",
    "left_out",
    "delta",
    "reasoning",
    "usage",
    "done",
    "error",
    "reset",
]
TEXT_KINDS = frozenset({"delta", "reasoning"})
_REPLAY_CHARS_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Deltas and reasoning have `text`, the others `data` (JSON). Readers are sent `frame`."""

    id: int
    kind: Kind
    text: str
    data: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """A journal row: neighbouring texts of one kind as a JSON list (one item an id), or the JSON of one other
    event.
    """

    turn_id: UUID
    first_id: int
    last_id: int
    kind: Kind
    payload: str


def text_event(event_id: int, kind: Kind, text: str, *, encoded: bytes | None = None) -> Event:
    return Event(event_id, kind, text, "", encode(kind, encoded or {"text": text}, event_id))


def data_event(event_id: int, kind: Kind, data: dict[str, Any]) -> Event:
    raw = orjson.dumps(data)
    return Event(event_id, kind, "", raw.decode(), encode(kind, raw, event_id))


def reset_events(event_id: int, text: str, body: Sequence[Event]) -> list[Event]:
    """Replace what a reader has by `text` and what is in `body`."""
    return [data_event(event_id, "reset", {"text": text}), *body]


def _kind_of(event: Event) -> Kind:
    return event.kind


def coalesced(events: Sequence[Event]) -> bytes:
    """The frames of a replay: neighbouring texts become one event (up to a bound) that carries the
    last id.
    """
    frames: list[bytes] = []
    for kind, group in groupby(events, key=_kind_of):
        run = list(group)
        if kind in TEXT_KINDS:
            frames += [_joined(part).frame for part in _parts(run)]
        else:
            frames += [event.frame for event in run]
    return b"".join(frames)


def _parts(run: Sequence[Event]) -> Iterator[Sequence[Event]]:
    start, chars = 0, 0
    for index, event in enumerate(run):
        if chars and chars + len(event.text) > _REPLAY_CHARS_MAX:
            yield run[start:index]
            start, chars = index, 0
        chars += len(event.text)
    yield run[start:]


def _joined(run: Sequence[Event]) -> Event:
    return (
        run[0]
        if len(run) == 1
        else text_event(run[-1].id, run[-1].kind, "".join(event.text for event in run))
    )


def chunks_of(turn_id: UUID, events: Sequence[Event]) -> list[Chunk]:
    """The journal rows of `events`. A `message` event is none: its rows are in the tables already."""
    chunks: list[Chunk] = []
    for kind, group in groupby(events, key=_kind_of):
        run = list(group)
        if kind in TEXT_KINDS:
            payload = orjson.dumps([event.text for event in run]).decode()
            chunks.append(Chunk(turn_id, run[0].id, run[-1].id, kind, payload))
        elif kind != "message":
            chunks += [Chunk(turn_id, event.id, event.id, kind, event.data) for event in run]
    return chunks


class LiveReply:
    """One running turn. Ids are contiguous from `first_id`. What the reply held before this turn:
    `base_text`, and `base_events`
    with the rest of it. `relayed`: the ids are a run's, so an id that is not here yet will be. `notice` is
    what is waited for (JSON of a `waiting` event) where that is no event of the reply.
    """

    def __init__(
        self,
        *,
        turn_id: UUID,
        message_id: UUID,
        first_id: int,
        base_text: str,
        base_events: Sequence[Event] = (),
        relayed: bool = False,
    ) -> None:
        self.turn_id = turn_id
        self.message_id = message_id
        self.first_id = first_id
        self.base_text = base_text
        self.base_events = base_events
        self.relayed = relayed
        self.events: list[Event] = []
        self.text_bytes = 0
        self.notice: str | None = None
        self.closed = False
        self.sealed = False
        self._journaled = 0
        self._in_flight: list[Chunk] = []
        self._changed = asyncio.Event()

    @property
    def last_id(self) -> int:
        return self.first_id + len(self.events) - 1

    def begin_again(self) -> list[Event]:
        """For a reader whose place is unknown: what the reply held before this turn; the turn's events follow
        (from index 1).
        """
        return reset_events(self.first_id, self.base_text, self.base_events)

    def restore(self, events: Sequence[Event]) -> None:
        """Take over a turn of another process: its events so far, which the journal has."""
        self.events += events
        self._journaled = len(self.events)
        self.text_bytes = sum(len(event.text.encode()) for event in events)

    def emit_text(self, kind: Kind, text: str, *, encoded: bytes | None = None) -> None:
        """`encoded`: the event's data, for a text that came as an event."""
        self.text_bytes += len(text.encode())
        self.append([text_event(self.last_id + 1, kind, text, encoded=encoded)])

    def emit(self, kind: Kind, data: dict[str, Any]) -> None:
        self.append([data_event(self.last_id + 1, kind, data)])

    def append(self, events: Sequence[Event]) -> None:
        """Add events made elsewhere, with the ids that follow."""
        self.events += events
        self.notice = None
        self._wake()

    def tell_waiting(self, reason: str, progress: Mapping[str, Any] | None = None) -> None:
        """Tell those who read now what is waited for, until the next event: for a relayed reply, whose ids
        are all its run's.
        """
        self.notice = orjson.dumps({"reason": reason, "progress": progress}).decode()
        self._wake()

    def close(self) -> None:
        """No event follows."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def index_after(self, event_id: int) -> int | None:
        """Where a reader that has `event_id` continues; None when that id is none of this turn's."""
        index = event_id - self.first_id + 1
        return index if 0 <= index <= len(self.events) else None

    async def wait(self, timeout_s: float) -> bool:
        """Whether something happened within `timeout_s`."""
        return await set_within(self._changed, timeout_s)

    def take_unjournaled(self) -> list[Chunk]:
        """Rows the journal lacks. Rows of a failed write come again unchanged, so that writing them twice is
        harmless.
        """
        fresh = self.events[self._journaled :]
        self._journaled = len(self.events)
        self._in_flight += chunks_of(self.turn_id, fresh)
        return list(self._in_flight)

    def note_journaled(self) -> None:
        """What was taken last is stored."""
        self._in_flight.clear()
