"""Following a reply from any event id: from memory in the process that writes it, from the journal everywhere else."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import orjson
from shared.auth import Principal
from shared.contracts.chat import MessageEventData
from shared.db import Database
from shared.sse import comment
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.errors import MessageNotFound
from chat_service.messages.models import MessageRow
from chat_service.settings import ChatSettings
from chat_service.streams import repository
from chat_service.streams.errors import ReaderTooSlowError, TooManyStreams
from chat_service.streams.journal import Journal
from chat_service.streams.live import TEXT_KINDS, Chunk, Event, LiveReply, coalesced, data_event, text_event
from chat_service.streams.signals import Signals

_READ_MAX = 500
_CATCH_UP_POLLS_MAX = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """Which reply is followed."""

    chat_id: UUID
    message_id: UUID


class ReplyStreams:
    """Gives the bytes of reply streams; one a process."""

    def __init__(self, database: Database, journal: Journal, signals: Signals, settings: ChatSettings) -> None:
        self._database = database
        self._journal = journal
        self._signals = signals
        self._settings = settings
        self._open: Counter[UUID] = Counter()
        self.closing = False

    @property
    def open_count(self) -> int:
        """Streams that readers hold open in this process."""
        return self._open.total()

    def enter(self, principal: Principal) -> None:
        """Count one more stream of the person; `leave` ends it. Raises: TooManyStreams."""
        if self._open[principal.actor_id] >= self._settings.streams_per_user_max:
            raise TooManyStreams(self._settings.streams_per_user_max)
        self._open[principal.actor_id] += 1

    def leave(self, principal: Principal) -> None:
        self._open[principal.actor_id] -= 1
        if self._open[principal.actor_id] <= 0:
            del self._open[principal.actor_id]

    async def follow(self, reply: Reply, after: int) -> AsyncGenerator[bytes]:
        """The events after `after` until the turn's end: the backlog coalesced, then each as it comes. The caller has authorised."""
        live = self._journal.replies.get(reply.message_id)
        if live is not None:
            async for frames in self._from_memory(live, after):
                yield frames
            if live.events[-1].kind == "done":
                return
            # The turn was taken from this process: how it ended is in the database.
            after = live.last_id
        async for frames in self._from_journal(reply, after):
            yield frames

    async def _from_memory(self, live: LiveReply, after: int) -> AsyncGenerator[bytes]:
        seen = live.index_after(after)
        if seen is None:
            yield data_event(live.last_id, "reset", {"text": live.base_text + live.text()}).frame
        elif backlog := live.events[seen:]:
            seen = len(live.events)
            yield coalesced(backlog)
        seen = len(live.events) if seen is None else seen
        while True:
            fresh = live.events[seen:]
            if len(fresh) > self._settings.stream_lag_max:
                raise ReaderTooSlowError
            if fresh:
                seen += len(fresh)
                yield b"".join(event.frame for event in fresh)
            elif live.closed:
                return
            elif not await live.wait(self._settings.stream_ping_s):
                yield comment()

    async def _from_journal(self, reply: Reply, after: int) -> AsyncGenerator[bytes]:
        cursor = _JournalCursor(self._database, reply, after)
        if not await cursor.open():
            return
        silent_s = 0.0
        # A lost signal costs a poll interval.
        with self._signals.watch(cursor.turn_id) as changed:
            while True:
                changed.clear()
                try:
                    frames, ended = await cursor.next_frames()
                except MessageNotFound:
                    return  # the chat was deleted while it was followed
                if frames:
                    silent_s = 0.0
                    yield frames
                if ended or self.closing:
                    return
                if not cursor.behind and not await _set_within(changed, self._settings.follow_poll_s):
                    silent_s += self._settings.follow_poll_s
                if silent_s >= self._settings.stream_ping_s:
                    silent_s = 0.0
                    yield comment()


async def _set_within(changed: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await changed.wait()
    except TimeoutError:
        return False
    return True


class _JournalCursor:
    """A reader's place in the journal of the turn that was the reply's newest when it came. No session outlives a call."""

    def __init__(self, database: Database, reply: Reply, after: int) -> None:
        self._database = database
        self._reply = reply
        self._after = after
        self._placed = False
        self._polls = 0
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
        """What is new, and whether the turn has ended with it."""
        async with self._database.transaction() as session:
            # The state is read before the rows: when it says ended, the rows below are all there are.
            row = await messages.get_reply(session, self._reply.chat_id, self._reply.message_id)
            if not self._placed and row.turn_id is not None:
                self.turn_id = row.turn_id
            ended = row.turn_id != self.turn_id or row.status != "streaming"
            head = b""
            if not self._placed:
                placed = await self._place(session, row, ended=ended)
                if placed is None:
                    return b"", False
                head, finished = placed
                if finished:
                    return head, True
            chunks = await repository.read(session, turn_id=self.turn_id, after=self._after, limit=_READ_MAX)
        events = [event for chunk in chunks for event in _events_after(chunk, self._after)]
        # A backlog is joined; what comes later is shown piece by piece, as in the owner's process.
        body = coalesced(events) if not self._placed or ended else b"".join(event.frame for event in events)
        self._placed = True
        if events:
            self._after = events[-1].id
        self.behind = len(chunks) == _READ_MAX
        return head + body, ended and not self.behind

    async def _place(self, session: AsyncSession, row: MessageRow, *, ended: bool) -> tuple[bytes, bool] | None:
        """Where the reader stands: frames to begin with and whether they are all; None: look again later."""
        first_id = cast("int", row.stream_from)
        journal_last = await repository.last_id(session, turn_id=self.turn_id)
        if ended and journal_last is None:
            return _final_frames(row, self._after), True
        if self._after == first_id - 1:
            self._after = first_id
            return await self._message_frame(session, row, first_id), False
        if self._after == first_id or await repository.holds(session, turn_id=self.turn_id, event_id=self._after):
            return b"", False
        if not ended and self._after > first_id and self._polls < _CATCH_UP_POLLS_MAX:
            # Shown by the owner but not journaled yet: it follows within a flush interval.
            self._polls += 1
            return None
        return await self._reset(session, row, ended=ended, last_id=journal_last or first_id)

    async def _message_frame(self, session: AsyncSession, row: MessageRow, event_id: int) -> bytes:
        if row.parent_id is None:
            return b""
        parent = await messages.get(session, row.chat_id, row.parent_id)
        shown = await messages.view_of(session, parent, siblings_max=_READ_MAX)
        data = MessageEventData(message=shown, reply_id=row.id)
        return data_event(event_id, "message", data.model_dump(mode="json")).frame

    async def _reset(self, session: AsyncSession, row: MessageRow, *, ended: bool, last_id: int) -> tuple[bytes, bool]:
        if ended:
            return _final_frames(row, self._after, reset=True), True
        written = await journal_text(session, self.turn_id)
        self._after = last_id
        return data_event(last_id, "reset", {"text": row.content + written}).frame, False


def _final_frames(row: MessageRow, after: int, *, reset: bool = False) -> bytes:
    """The end of a reply whose journal is gone (or useless to this reader), from its row. All carry its last id."""
    last_id = row.stream_to or 1
    frames: list[Event] = []
    if reset or after != last_id:
        frames.append(data_event(last_id, "reset", {"text": row.content}))
    if (usage := messages.usage_of(row)) is not None:
        frames.append(data_event(last_id, "usage", usage.model_dump(mode="json")))
    if row.error is not None:
        frames.append(data_event(last_id, "error", error_data(row.error)))
    frames.append(data_event(last_id, "done", {"status": row.status}))
    return b"".join(event.frame for event in frames)


def error_data(error: dict[str, object]) -> dict[str, object]:
    """An `error` event's data: the problem's further members stand beside the standard ones."""
    extra = cast("dict[str, object]", error.get("extra") or {})
    return {**extra, "code": error.get("code"), "detail": error.get("detail"), "status": error.get("status")}


def _events_after(chunk: Chunk, after: int) -> Sequence[Event]:
    """The events of a journal row above `after`."""
    if chunk.last_id <= after:
        return []
    data = orjson.loads(chunk.payload)
    if chunk.kind not in TEXT_KINDS:
        return [data_event(chunk.last_id, chunk.kind, data)]
    texts = cast("list[str]", data)
    return [text_event(chunk.first_id + i, chunk.kind, piece) for i, piece in enumerate(texts) if chunk.first_id + i > after]


async def journal_text(session: AsyncSession, turn_id: UUID) -> str:
    """The reply text that the journal of a turn holds."""
    parts: list[str] = []
    after = 0
    while chunks := await repository.read(session, turn_id=turn_id, after=after, limit=_READ_MAX):
        after = chunks[-1].last_id
        parts += [piece for chunk in chunks if chunk.kind == "delta" for piece in orjson.loads(chunk.payload)]
    return "".join(parts)
