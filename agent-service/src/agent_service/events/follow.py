"""Following a run from any event id: from the table, woken by this process's runs; those of other processes
are looked at for all.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from shared.background import Periodic
from shared.clock import monotonic_s
from shared.db import Database
from shared.outages import read_through_outage
from shared.sse import comment, encode
from shared.streams import OpenStreams
from shared.wakeups import set_within

from agent_service.events.errors import TooManyStreams
from agent_service.events.live import LiveRuns
from agent_service.records import event_repository, repository
from agent_service.records.event_repository import EventRecord
from agent_service.settings import AgentSettings

_READ_MAX = 500
_AWAY_MAX_S = 15.0
"""So long a reader waits for a database that is away, without a ping; then its connection is ended, so that
it knows to resume.
"""

T = TypeVar("T")


@dataclass(slots=True)
class _Tail:
    """The newest events of a run of another process, read once for all its readers here: those above `after`,
    in order.
    """

    after: int
    readers: int = 0
    events: list[EventRecord] = field(default_factory=list[EventRecord])
    ended: bool = False

    @property
    def last_id(self) -> int:
        return self.events[-1].id if self.events else self.after

    def add(self, events: list[EventRecord], *, ended: bool) -> bool:
        """Whether something is new."""
        self.events += events
        if len(self.events) > _READ_MAX:
            dropped = self.events[: len(self.events) - _READ_MAX]
            self.after = dropped[-1].id
            del self.events[: len(dropped)]
        is_new = bool(events) or (ended and not self.ended)
        self.ended = ended
        return is_new

    def forget(self) -> None:
        """Begin again with what is read next."""
        self.after, self.events, self.ended = -1, [], False

    def above(self, after: int) -> list[EventRecord] | None:
        """The events above `after`; None when some of them are no longer here."""
        return [event for event in self.events if event.id > after] if after >= self.after else None


class RunStreams:
    """Gives the bytes of event streams. One instance per process. `start` it for the runs of other
    processes.
    """

    def __init__(self, database: Database, live: LiveRuns, settings: AgentSettings) -> None:
        self._database = database
        self._live = live
        self._wakeups = live.wakeups
        self._settings = settings
        self.open = OpenStreams(settings.streams_per_user_max, TooManyStreams)
        self._tails: dict[UUID, _Tail] = {}
        self.looking = Periodic("events of other processes", settings.follow_poll_s, self.look)
        self.closing = False

    def close(self) -> None:
        """End all streams; their readers resume by their last id."""
        self.closing = True
        self._wakeups.wake_all()

    async def follow(self, run_id: UUID, after: int) -> AsyncGenerator[bytes]:
        """The events above `after` until the run's end; its last one again for a reader that has it. The
        caller has authorised.
        """
        shown_s = monotonic_s()
        has_shown = False
        # Events are stored before they are shown: an id above the last one is none that the reader was given.
        after = min(after, await self._waited_for(partial(self._last_id, run_id))) if after else 0
        with self._wakeups.watch(run_id) as changed, self._tail(run_id) as tail:
            while not self.closing:
                changed.clear()
                events, ended = await self._waited_for(partial(self._next, run_id, after, tail))
                if ended and not events and not has_shown:
                    events = await self._waited_for(partial(self._read, run_id, after - 1))
                if events:
                    has_shown, after = True, events[-1].id
                    yield b"".join(encode(event.event, event.data, event.id) for event in events)
                    shown_s = monotonic_s()
                if ended and len(events) < _READ_MAX:
                    return
                if len(events) < _READ_MAX:
                    await set_within(changed, self._settings.stream_ping_s)
                if monotonic_s() - shown_s >= self._settings.stream_ping_s:
                    yield comment()
                    shown_s = monotonic_s()

    @contextmanager
    def _tail(self, run_id: UUID) -> Generator[_Tail]:
        tail = self._tails.setdefault(run_id, _Tail(after=-1))
        tail.readers += 1
        try:
            yield tail
        finally:
            tail.readers -= 1
            if tail.readers == 0:
                self._tails.pop(run_id, None)

    async def look(self) -> None:
        """Read on in the runs of other processes that somebody follows here: two statements for all of them,
        however many read.
        """
        tails = {run_id: tail for run_id, tail in self._tails.items() if tail.after >= 0 and not tail.ended}
        foreign = {run_id: tail for run_id, tail in tails.items() if run_id not in self._live.runs}
        if not foreign:
            return
        async with self._database.transaction() as session:
            open_runs = await repository.still_open(session, list(foreign))
            found = await event_repository.read_many(
                session, {run_id: tail.last_id for run_id, tail in foreign.items()}, limit=_READ_MAX
            )
        for run_id, tail in foreign.items():
            events = found.get(run_id, [])
            if tail.add(events, ended=run_id not in open_runs and len(events) < _READ_MAX):
                self._wakeups.wake(run_id)

    async def _waited_for(self, read: Callable[[], Awaitable[T]]) -> T:
        return await read_through_outage(read, wait_max_s=_AWAY_MAX_S)

    async def _last_id(self, run_id: UUID) -> int:
        async with self._database.transaction() as session:
            return (await event_repository.last_ids(session, [run_id])).get(run_id, 0)

    async def _read(self, run_id: UUID, after: int) -> list[EventRecord]:
        async with self._database.transaction() as session:
            return await event_repository.read(session, run_id, after=after, limit=_READ_MAX)

    async def _next(self, run_id: UUID, after: int, tail: _Tail) -> tuple[list[EventRecord], bool]:
        is_own = run_id in self._live.runs
        if is_own:
            # What was known of it as another process's says nothing of its end.
            tail.forget()
        elif tail.after >= 0 and (events := tail.above(after)) is not None:
            return events, tail.ended
        async with self._database.transaction() as session:
            # The state is read before the events: when it says ended, the events below are all there are.
            ended = await repository.has_ended(session, run_id)
            events = await event_repository.read(session, run_id, after=after, limit=_READ_MAX)
        if len(events) < _READ_MAX and tail.after < 0 and not is_own:
            # The common reading begins here.
            tail.after, tail.ended = events[-1].id if events else after, ended
        return events, ended
