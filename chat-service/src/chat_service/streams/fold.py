"""What a reply holds after its events: one rule for the live end of a turn, the sweeper and everyone who
reads events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from chat_service.streams.live import Event, data_event, text_event

_NOWHERE: Mapping[int, tuple[int, int]] = {}


@dataclass(frozen=True, slots=True)
class Folded:
    """Text, reasoning, steps in order (tool calls as they are now), citations, and what the model did not
    see.

    `began`: where in `text` and in `reasoning` each step began, by its number.
    """

    text: str = ""
    reasoning: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()
    citations: tuple[Mapping[str, Any], ...] = ()
    left_out: Mapping[str, Any] | None = None
    began: Mapping[int, tuple[int, int]] = field(default_factory=lambda: _NOWHERE)


def fold(events: Iterable[Event], start: Folded | None = None) -> Folded:
    """`start` and the events after it. Folding all at once gives what folding piece by piece gives.

    A step that was interrupted begins again with a higher `attempt`: what its earlier attempt thought, wrote
    and called is void. A tool call comes again with each change under its step and `call_id` (models repeat
    ids in later steps), a citation with its `n`; the last one counts.
    """
    state = _State(start or Folded())
    for event in events:
        match event.kind:
            case "delta":
                state.said.add(event.text)
            case "reasoning":
                state.thought.add(event.text)
            case "step":
                state.begin(orjson.loads(event.data))
            case "tool":
                state.note_call(orjson.loads(event.data))
            case "citation":
                data = orjson.loads(event.data)
                state.citations[int(data["n"])] = data
            case "left_out":
                state.left_out = orjson.loads(event.data)
            case _:
                pass  # waiting, usage, error and done leave nothing in the reply's body
    return state.folded()


class _Written:
    """A text under way that can be shortened."""

    def __init__(self, start: str) -> None:
        self._parts = [start]
        self.chars = len(start)

    def add(self, text: str) -> None:
        self._parts.append(text)
        self.chars += len(text)

    def shorten(self, chars: int) -> None:
        self._parts, self.chars = [self.whole()[:chars]], chars

    def whole(self) -> str:
        return "".join(self._parts)


class _State:
    """A fold under way."""

    def __init__(self, start: Folded) -> None:
        self.said = _Written(start.text)
        self.thought = _Written(start.reasoning)
        self.steps: list[Mapping[str, Any]] = list(start.steps)
        self.citations: dict[int, Mapping[str, Any]] = {
            int(citation["n"]): citation for citation in start.citations
        }
        self.left_out = start.left_out
        self._began = dict(start.began)

    def begin(self, step: Mapping[str, Any]) -> None:
        number = int(step["step"])
        earlier = self._began.get(number)
        if int(step.get("attempt", 1)) > 1 and earlier is not None:
            self.said.shorten(earlier[0])
            self.thought.shorten(earlier[1])
            self.steps = [entry for entry in self.steps if entry["step"] != number]
        said, thought = self.said.chars, self.thought.chars
        self._began = {
            other: (min(text, said), min(thoughts, thought))
            for other, (text, thoughts) in self._began.items()
        }
        self._began[number] = (said, thought)
        self.steps.append(step)

    def note_call(self, call: Mapping[str, Any]) -> None:
        for index, entry in enumerate(self.steps):
            if (entry["step"], entry.get("call_id")) == (call["step"], call["call_id"]):
                self.steps[index] = call
                return
        self.steps.append(call)

    def folded(self) -> Folded:
        return Folded(
            text=self.said.whole(),
            reasoning=self.thought.whole(),
            steps=tuple(self.steps),
            citations=tuple(self.citations[n] for n in sorted(self.citations)),
            left_out=self.left_out,
            began=self._began,
        )


def body_events(body: Folded, *, event_id: int) -> list[Event]:
    """The events that give a reader what is stored beside the text again; all carry `event_id`. The text
    comes with a reset.
    """
    events = [
        data_event(event_id, "tool" if "call_id" in entry else "step", dict(entry)) for entry in body.steps
    ]
    events += [data_event(event_id, "citation", dict(citation)) for citation in body.citations]
    if body.left_out is not None:
        events.append(data_event(event_id, "left_out", dict(body.left_out)))
    if body.reasoning:
        events.append(text_event(event_id, "reasoning", body.reasoning))
    return events
