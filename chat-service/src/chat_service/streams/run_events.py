"""The events of a run as those of the reply it writes: the same events, their ids shifted by the first id of
the turn.
"""

from collections.abc import Iterable
from typing import Any, cast

import orjson
from pydantic import ValidationError
from shared.contracts.agents import (
    CitationEvent,
    DeltaEvent,
    DoneEvent,
    ErrorEvent,
    LeftOutEvent,
    ReasoningEvent,
    RunEvent,
    StepEvent,
    ToolEvent,
    UsageEvent,
    WaitingEvent,
)
from shared.contracts.chat import ErrorEventData, FinalStatus, LeftOutEventData, MessageError, MessageUsage
from shared.http import UpstreamError
from shared.sse import SseEvent

from chat_service.streams.live import Event, LiveReply

_TEXTS = frozenset({"delta", "reasoning"})
_KINDS = frozenset({"step", "tool", "citation", "left_out", "waiting", "usage", "error", "done", *_TEXTS})
_NUL = b"\\u0000"


class MalformedRunError(Exception):
    """An event of a run that cannot be shown."""


class RunReader:
    """Takes the events of one run into a live log, and keeps what they say about its end.

    `left_out`: what this service had not sent to the run; it joins what the run says of itself.
    """

    def __init__(self, live: LiveReply, *, left_out: LeftOutEventData | None = None) -> None:
        self._live = live
        self.left_out = left_out
        self.usage: MessageUsage | None = None
        self.error: MessageError | None = None
        self.finish_reason: str | None = None

    @property
    def after(self) -> int:
        """The id of the run's last event that was taken."""
        return self._live.last_id - self._live.first_id

    def restore(self, known: Iterable[Event]) -> None:
        """Take in what events that an earlier process stored say about the run's end."""
        for event in known:
            if event.kind == "usage":
                self.usage = MessageUsage.model_validate_json(event.data)
            elif event.kind == "error":
                self.error = _error_of(ErrorEventData.model_validate_json(event.data))

    def take(self, event: SseEvent) -> FinalStatus | None:
        """Append one event; the run's status when it is its last, which is shown when the reply is stored.

        Raises:
            UpstreamError: an event is missing.
            MalformedRunError: it is none that can be shown.
        """
        number, due = _number(event), self.after + 1
        if number < due:
            return None
        if number > due:
            raise UpstreamError("the events of the run have a gap")
        if event.event in _TEXTS:
            self._take_text(event)
            return None
        if event.event not in _KINDS:
            # Of a newer agent-service: the reader sees nothing of it, the numbers go on.
            self._live.emit_text("delta", "")
            return None
        return self._take(_parsed(event, number))

    def _take_text(self, event: SseEvent) -> None:
        """Nearly all events are texts: their bytes are sent on as they came."""
        try:
            text = orjson.loads(event.data)["text"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise MalformedRunError from None
        if not isinstance(text, str):
            raise MalformedRunError
        kind = "delta" if event.event == "delta" else "reasoning"
        if _NUL in event.data and "\x00" in text:
            self._live.emit_text(kind, text.replace("\x00", ""))
        else:
            self._live.emit_text(kind, text, encoded=event.data)

    def _take(self, event: RunEvent) -> FinalStatus | None:
        match event.root:
            case (
                StepEvent(event=kind, data=data)
                | ToolEvent(event=kind, data=data)
                | CitationEvent(event=kind, data=data)
            ):
                self._live.emit(kind, data.model_dump(mode="json"))
            case WaitingEvent(data=data):
                self._live.emit("waiting", data.model_dump(mode="json"))
            case LeftOutEvent(data=data):
                self._live.emit("left_out", self._left_out_in_all(data).model_dump(mode="json"))
            case UsageEvent(data=data):
                self.usage = data
                self._live.emit("usage", data.model_dump(mode="json"))
            case ErrorEvent(data=data):
                self.error = _error_of(data)
                self._live.emit("error", data.model_dump(mode="json"))
            case DoneEvent(data=data):
                self.finish_reason = data.finish_reason
                return data.status
            case DeltaEvent() | ReasoningEvent():
                pass  # taken before
        return None

    def _left_out_in_all(self, of_run: LeftOutEventData) -> LeftOutEventData:
        before = self.left_out
        if before is None:
            return of_run
        return of_run.model_copy(
            update={
                "messages": of_run.messages + before.messages,
                "passages": of_run.passages + before.passages,
            }
        )


def _number(event: SseEvent) -> int:
    if event.id is None or not event.id.isascii() or not event.id.isdigit():
        raise MalformedRunError
    return int(event.id)


def _parsed(event: SseEvent, number: int) -> RunEvent:
    try:
        data = orjson.loads(event.data)
        if _NUL in event.data:
            data = _without_nul(data)
        return RunEvent.model_validate({"event": event.event, "id": number, "data": data})
    except (orjson.JSONDecodeError, ValidationError):
        raise MalformedRunError from None


def _without_nul(value: object) -> object:
    """PostgreSQL text cannot hold NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {
            _without_nul(name): _without_nul(item)
            for name, item in cast("dict[object, object]", value).items()
        }
    return value


def _error_of(data: ErrorEventData) -> MessageError:
    extra: dict[str, Any] = dict(data.model_extra or {})
    return MessageError(code=data.code, detail=data.detail, status=data.status, extra=extra)
