"""What a reply holds after its events: one rule for the live end of a turn, the reaper and everyone who reads events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chat_service.streams.live import Event, data_event

_NOTHING: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class Folded:
    """Text, steps in order (tool calls as they are now) and citations. `began`: where in `text` each step began, by its number."""

    text: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()
    began: Mapping[int, int] = field(default_factory=lambda: _NOTHING)


def fold(events: Iterable[Event], start: Folded | None = None) -> Folded:
    """`start` and the events after it. Folding all at once gives what folding piece by piece gives.

    A step that was cut begins again with a higher `attempt`: what its earlier attempt wrote and called is void. A tool call
    comes again with each change under its step and `call_id` (models repeat ids in later steps), a citation with its `n`; the
    last one counts.
    """
    state = _State(start or Folded())
    for event in events:
        match event.kind:
            case "delta":
                state.write(event.text)
            case "step":
                state.begin(orjson.loads(event.data))
            case "tool":
                state.note_call(orjson.loads(event.data))
            case "citation":
                data = orjson.loads(event.data)
                state.citations[int(data["n"])] = data
            case _:
                pass  # waiting, reasoning, usage, error and done leave nothing in the reply's body
    return state.folded()


class _State:
    """A fold under way."""

    def __init__(self, start: Folded) -> None:
        self._parts = [start.text]
        self._chars = len(start.text)
        self.steps: list[Mapping[str, Any]] = list(start.steps)
        self.citations: dict[int, Mapping[str, Any]] = {int(citation["n"]): citation for citation in start.citations}
        self._began = dict(start.began)

    def write(self, text: str) -> None:
        self._parts.append(text)
        self._chars += len(text)

    def begin(self, step: Mapping[str, Any]) -> None:
        number = int(step["step"])
        earlier = self._began.get(number)
        if int(step.get("attempt", 1)) > 1 and earlier is not None:
            self._parts = ["".join(self._parts)[:earlier]]
            self._chars = earlier
            self.steps = [entry for entry in self.steps if entry["step"] != number]
        self._began = {other: min(at, self._chars) for other, at in self._began.items()}
        self._began[number] = self._chars
        self.steps.append(step)

    def note_call(self, call: Mapping[str, Any]) -> None:
        for index, entry in enumerate(self.steps):
            if (entry["step"], entry.get("call_id")) == (call["step"], call["call_id"]):
                self.steps[index] = call
                return
        self.steps.append(call)

    def folded(self) -> Folded:
        citations = tuple(self.citations[n] for n in sorted(self.citations))
        return Folded(text="".join(self._parts), steps=tuple(self.steps), citations=citations, began=self._began)


def body_events(steps: Sequence[Mapping[str, Any]], citations: Sequence[Mapping[str, Any]], *, event_id: int) -> list[Event]:
    """The events that give a reader stored steps and citations again; all carry `event_id`. The text comes with a reset."""
    events = [data_event(event_id, "tool" if "call_id" in entry else "step", dict(entry)) for entry in steps]
    return events + [data_event(event_id, "citation", dict(citation)) for citation in citations]
