"""Reading the event stream of a reply, and what a whole turn says."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from shared.contracts.chat import ChatEvent
from shared.sse import SseParser


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a reply; `at_s` is when it arrived (monotonic)."""

    id: int
    name: str
    data: dict[str, Any]
    at_s: float


def read_events(response: httpx.Response) -> Iterator[Event]:
    """Events as they arrive, each checked against the contract of the chat-service."""
    parser = SseParser()
    for chunk in response.iter_raw():
        now_s = time.monotonic()
        for raw in parser.feed(chunk):
            assert raw.id is not None, f"an event without an id: {raw}"
            event = Event(id=int(raw.id), name=raw.event, data=json.loads(raw.data), at_s=now_s)
            ChatEvent.model_validate({"id": event.id, "event": event.name, "data": event.data})
            yield event


@dataclass(slots=True)
class Turn:
    """What the events of one turn add up to."""

    events: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Turn":
        """The turn of all `events`."""
        return cls(list(events))

    def named(self, name: str) -> list[Event]:
        """The events called `name`."""
        return [event for event in self.events if event.name == name]

    @property
    def ids(self) -> list[int]:
        return [event.id for event in self.events]

    @property
    def text(self) -> str:
        """The reply as a page shows it: deltas appended, a reset replaces."""
        return text_after("", self.events)

    @property
    def reply_id(self) -> str:
        return str(self.named("message")[0].data["reply_id"])

    @property
    def status(self) -> str:
        """How the turn ended. Fails when it did not."""
        assert self.events, "the stream held no event"
        assert self.events[-1].name == "done", f"the stream ended with {self.events[-1]}"
        return str(self.events[-1].data["status"])

    @property
    def usage(self) -> dict[str, Any]:
        return self.named("usage")[-1].data

    @property
    def error(self) -> dict[str, Any]:
        return self.named("error")[-1].data


def text_after(text: str, events: Iterable[Event]) -> str:
    """What a page that showed `text` shows after `events`."""
    for event in events:
        if event.name == "delta":
            text += event.data["text"]
        elif event.name == "reset":
            text = event.data["text"]
    return text
