"""Following a reply from any event id: from memory in the process that writes it, else from its run or from
the journal.
"""

from collections.abc import AsyncGenerator

from shared.clock import monotonic_s
from shared.db import Database
from shared.outages import read_through_outage
from shared.sse import comment, encode
from shared.streams import OpenStreams, ReaderTooSlowError
from shared.wakeups import set_within

from chat_service.messages.errors import MessageNotFound
from chat_service.settings import ChatSettings
from chat_service.streams.cursor import JournalCursor, Reply
from chat_service.streams.errors import TooManyStreams
from chat_service.streams.journal import Journal
from chat_service.streams.live import LiveReply, coalesced
from chat_service.streams.mirrors import RunMirrors
from chat_service.streams.signals import Signals

_AWAY_MAX_S = 15.0
"""So long a reader waits for a database that is away, without a ping; then its connection is ended, so that
it knows to resume.
"""


class ReplyStreams:
    """Gives the bytes of reply streams. One instance per process."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        signals: Signals,
        *,
        mirrors: RunMirrors,
        settings: ChatSettings,
    ) -> None:
        self._database = database
        self._journal = journal
        self._signals = signals
        self._mirrors = mirrors
        self._settings = settings
        self.open = OpenStreams(settings.streams_per_user_max, TooManyStreams)
        self.closing = False

    def close(self) -> None:
        """End the streams of replies that other processes write; those of this process end with them."""
        self.closing = True
        self._mirrors.close()

    async def follow(self, reply: Reply, after: int) -> AsyncGenerator[bytes]:
        """The events after `after` until the turn's end: the backlog coalesced, then each as it comes. The
        caller has authorised.

        Of a reply that is there it never ends without an event, except when the process drains.
        """
        live = self._journal.replies.get(reply.message_id)
        if live is not None:
            async for frames in self._from_memory(live, after):
                yield frames
            if live.events[-1].kind == "done" and after < live.last_id:
                return
            # The turn was taken from this process: how it ended is in the database.
            after = live.last_id
        async with self._mirrors.following(reply) as mirror:
            if mirror is not None:
                async for frames in self._from_memory(mirror, after):
                    yield frames
                after = max(after, mirror.last_id)
        async for frames in self._from_journal(reply, after):
            yield frames

    async def _from_memory(self, live: LiveReply, after: int) -> AsyncGenerator[bytes]:
        if live.relayed:
            async for ping in self._until_reached(live, after):
                yield ping
        seen = live.index_after(after)
        if seen is None:
            seen = 1  # the message event is known
            yield b"".join(event.frame for event in live.begin_again())
        if backlog := live.events[seen:]:
            seen = len(live.events)
            yield coalesced(backlog)
        shown: str | None = None
        while True:
            fresh = live.events[seen:]
            if len(fresh) > self._settings.stream_lag_max:
                raise ReaderTooSlowError
            if fresh:
                seen += len(fresh)
                yield b"".join(event.frame for event in fresh)
            elif live.closed:
                return
            elif live.notice is not None and live.notice is not shown:
                shown = live.notice
                yield encode("waiting", shown, live.last_id)
            elif not await live.wait(self._settings.stream_ping_s):
                yield comment()

    async def _until_reached(self, live: LiveReply, after: int) -> AsyncGenerator[bytes]:
        """Wait for an id that the reader saw in a process that died before it journaled it: the run sends it
        again.
        """
        deadline = monotonic_s() + self._settings.turn_lease_s
        while live.last_id < after and not live.closed and (left_s := deadline - monotonic_s()) > 0:
            if not await live.wait(min(left_s, self._settings.stream_ping_s)):
                yield comment()

    async def _from_journal(self, reply: Reply, after: int) -> AsyncGenerator[bytes]:
        cursor = JournalCursor(self._database, reply, after, self._settings)
        if not await read_through_outage(cursor.open, wait_max_s=_AWAY_MAX_S):
            return
        silent_s = 0.0
        # A lost signal costs a poll interval.
        with self._signals.wakeups.watch(cursor.turn_id) as changed:
            while True:
                changed.clear()
                try:
                    frames, ended = await read_through_outage(cursor.next_frames, wait_max_s=_AWAY_MAX_S)
                except MessageNotFound:
                    return  # the chat was deleted while it was followed
                if frames:
                    silent_s = 0.0
                    yield frames
                if ended or self.closing:
                    return
                if not cursor.behind and not await set_within(changed, self._settings.follow_poll_s):
                    silent_s += self._settings.follow_poll_s
                if silent_s >= self._settings.stream_ping_s:
                    silent_s = 0.0
                    yield comment()
