"""A reader's place in a journal, and what a reply whose journal is gone still tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson
from shared.clock import monotonic_s
from shared.contracts.chat import MessageEventData
from shared.db import Database
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.models import MessageRow
from chat_service.settings import ChatSettings
from chat_service.streams import repository
from chat_service.streams.fold import Folded, body_events
from chat_service.streams.live import (
    TEXT_KINDS,
    Chunk,
    Event,
    coalesced,
    data_event,
    reset_events,
    text_event,
)

_READ_MAX = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """Which reply is followed."""

    chat_id: UUID
    message_id: UUID


class JournalCursor:
    """A reader's place in the journal of the turn that was the reply's newest when it came. No session
    outlives a call.
    """

    def __init__(self, database: Database, reply: Reply, after: int, settings: ChatSettings) -> None:
        self._database = database
        self._reply = reply
        self._after = after
        self._placed = False
        # What a dead process had shown and not stored is shown again by the one that takes its run over, or
        # its turn is ended.
        self._follow_until_s = monotonic_s() + 2 * settings.turn_lease_s + settings.reaper_interval_s
        self.turn_id = reply.message_id
        self.behind = False

    async def open(self) -> bool:
        """Whether there is a turn to follow."""
        async with self._database.transaction() as session:
            row = await messages.find(session, self._reply.chat_id, self._reply.message_id)
        if row is None or row.turn_id is None:
            return False
        self.turn_id = row.turn_id
        return True

    async def next_frames(self) -> tuple[bytes, bool]:
        """What is new, and whether the turn has ended with it. A look that fails changes nothing, so it may
        be made again.
        """
        after, head = self._after, b""
        async with self._database.transaction() as session:
            # The state is read before the rows: when it says ended, the rows below are all there are.
            row = await messages.get_reply(session, self._reply.chat_id, self._reply.message_id)
            if not self._placed and row.turn_id is not None:
                self.turn_id = row.turn_id
            ended = row.turn_id != self.turn_id or row.status != "streaming"
            if not self._placed:
                placed = await self._place(session, row, ended=ended)
                if placed is None:
                    return b"", False
                head, after, finished = placed
                if finished:
                    return head, True
            chunks = await repository.read(session, turn_id=self.turn_id, after=after, limit=_READ_MAX)
        events = [event for chunk in chunks for event in events_after(chunk, after)]
        if ended and not self._placed and not head and not events:
            # The reader has the last event. It is told the end again: a stream without any event would leave
            # it to guess.
            return _final_frames(row, after), True
        # A backlog is joined; what comes later is shown piece by piece, as in the owner's process.
        body = coalesced(events) if not self._placed or ended else b"".join(event.frame for event in events)
        self._placed = True
        self._after = events[-1].id if events else after
        self.behind = len(chunks) == _READ_MAX
        return head + body, ended and not self.behind

    async def _place(
        self, session: AsyncSession, row: MessageRow, *, ended: bool
    ) -> tuple[bytes, int, bool] | None:
        """Where the reader stands: frames to begin with, the id they end with, and whether they are all;
        None: look again later.
        """
        first_id = cast("int", row.stream_from)
        journal_last = await repository.last_id(session, turn_id=self.turn_id)
        if ended and journal_last is None:
            return _final_frames(row, self._after), self._after, True
        if self._after == first_id - 1:
            return await self._message_frame(session, row, first_id), first_id, False
        if self._after == first_id or await repository.holds(
            session, turn_id=self.turn_id, event_id=self._after
        ):
            return b"", self._after, False
        if not ended and self._after > first_id and self._may_follow():
            return None
        if ended:
            return _final_frames(row, self._after, reset=True), self._after, True
        return _frames(_stored_events(row, first_id)), first_id, False

    def _may_follow(self) -> bool:
        """Whether an id that was shown by the owner but is not journaled may still come, or the turn end
        beyond it.

        To begin again from an earlier id meanwhile would give out ids that the reader has.
        """
        return monotonic_s() < self._follow_until_s

    async def _message_frame(self, session: AsyncSession, row: MessageRow, event_id: int) -> bytes:
        if row.parent_id is None:
            return b""
        return data_event(
            event_id, "message", await message_event(session, row, siblings_max=_READ_MAX)
        ).frame


def _stored_events(row: MessageRow, event_id: int) -> list[Event]:
    """What the reply's row holds, in place of what the reader has."""
    body = Folded(
        reasoning=row.reasoning, steps=tuple(row.steps), citations=tuple(row.citations), left_out=row.left_out
    )
    return reset_events(event_id, row.content, body_events(body, event_id=event_id))


def _final_frames(row: MessageRow, after: int, *, reset: bool = False) -> bytes:
    """The end of a reply whose journal is gone (or useless to this reader), from its row. All carry its last
    id.
    """
    last_id = row.stream_to or 1
    events = _stored_events(row, last_id) if reset or after != last_id else []
    if (usage := messages.usage_of(row)) is not None:
        events.append(data_event(last_id, "usage", usage.model_dump(mode="json")))
    if row.error is not None:
        events.append(data_event(last_id, "error", error_data(row.error)))
    events.append(data_event(last_id, "done", done_data(row.status, row.finish_reason)))
    return _frames(events)


def _frames(events: Sequence[Event]) -> bytes:
    return b"".join(event.frame for event in events)


def done_data(status: str, finish_reason: str | None) -> dict[str, Any]:
    """A `done` event's data."""
    return {"status": status, "finish_reason": finish_reason}


def error_data(error: dict[str, object]) -> dict[str, object]:
    """An `error` event's data: the problem's further members stand beside the standard ones."""
    extra = cast("dict[str, object]", error.get("extra") or {})
    return {**extra, "code": error.get("code"), "detail": error.get("detail"), "status": error.get("status")}


def events_after(chunk: Chunk, after: int) -> Sequence[Event]:
    """The events of a journal row above `after`."""
    if chunk.last_id <= after:
        return []
    data = orjson.loads(chunk.payload)
    if chunk.kind not in TEXT_KINDS:
        return [data_event(chunk.last_id, chunk.kind, data)]
    texts = cast("list[str]", data)
    return [
        text_event(chunk.first_id + i, chunk.kind, piece)
        for i, piece in enumerate(texts)
        if chunk.first_id + i > after
    ]


async def message_event(session: AsyncSession, reply: MessageRow, *, siblings_max: int) -> dict[str, object]:
    """Data of the first event of a reply's turn: the message it answers."""
    asked = await messages.get(session, reply.chat_id, reply.parent_id or reply.id)
    shown = await messages.view_of(session, asked, siblings_max=siblings_max)
    return MessageEventData(message=shown, reply_id=reply.id).model_dump(mode="json")


async def journal_events(session: AsyncSession, turn_id: UUID) -> list[Event]:
    """The events that the journal of a turn holds: all but its `message`, and those that its process could
    not store.
    """
    events: list[Event] = []
    after = 0
    while chunks := await repository.read(session, turn_id=turn_id, after=after, limit=_READ_MAX):
        after = chunks[-1].last_id
        events += [event for chunk in chunks for event in events_after(chunk, 0)]
    return events
