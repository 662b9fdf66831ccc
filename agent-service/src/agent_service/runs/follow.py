"""Following a run from any event id: always from the table, woken by this process's runs and by looking again for those of others."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

from shared.clock import monotonic_s
from shared.db import Database
from shared.sse import comment, encode
from shared.streams import OpenStreams
from shared.wakeups import set_within

from agent_service.runs import event_repository, repository
from agent_service.runs.errors import TooManyStreams
from agent_service.runs.event_repository import Event
from agent_service.runs.live import LiveRuns
from agent_service.settings import AgentSettings

_READ_MAX = 500


class RunStreams:
    """Gives the bytes of event streams; one a process."""

    def __init__(self, database: Database, live: LiveRuns, settings: AgentSettings) -> None:
        self._database = database
        self._live = live
        self._wakeups = live.wakeups
        self._settings = settings
        self.open = OpenStreams(settings.streams_per_user_max, TooManyStreams)
        self._closing = False

    def close(self) -> None:
        """End all streams; their readers resume by their last id."""
        self._closing = True
        self._wakeups.wake_all()

    async def follow(self, run_id: UUID, after: int) -> AsyncGenerator[bytes]:
        """The events above `after` until the run's end. The caller has authorised."""
        shown_s = monotonic_s()
        with self._wakeups.watch(run_id) as changed:
            while not self._closing:
                changed.clear()
                events, ended = await self._read(run_id, after)
                if events:
                    after = events[-1].id
                    yield b"".join(encode(event.event, event.data, event.id) for event in events)
                    shown_s = monotonic_s()
                if ended and len(events) < _READ_MAX:
                    return
                if len(events) < _READ_MAX:
                    await self._wait(changed, run_id)
                if monotonic_s() - shown_s >= self._settings.stream_ping_s:
                    yield comment()
                    shown_s = monotonic_s()

    async def _read(self, run_id: UUID, after: int) -> tuple[list[Event], bool]:
        async with self._database.transaction() as session:
            # The state is read before the events: when it says ended, the events below are all there are.
            run = await repository.get(session, run_id)
            events = await event_repository.read(session, run_id, after=after, limit=_READ_MAX)
        return events, run is None or not repository.is_open(run)

    async def _wait(self, changed: asyncio.Event, run_id: UUID) -> None:
        """Until something may be new. Runs of this process tell; runs of others are looked at again and again."""
        timeout_s = self._settings.stream_ping_s if run_id in self._live.runs else self._settings.follow_poll_s
        await set_within(changed, timeout_s)
