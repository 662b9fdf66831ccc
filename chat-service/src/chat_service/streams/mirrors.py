"""Running replies of agents that another process writes: read from their runs, once for all readers here."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.clients.agents import AgentClient
from shared.contracts.chat import LeftOutEventData
from shared.db import Database
from shared.errors import AppError
from shared.http import UpstreamError
from shared.outages import is_outage, read_through_outage
from shared.wakeups import set_within

from chat_service.messages import service as messages
from chat_service.settings import ChatSettings
from chat_service.streams import repository
from chat_service.streams.cursor import Reply, message_event
from chat_service.streams.live import LiveReply
from chat_service.streams.repository import RunningReply
from chat_service.streams.run_events import MalformedRunError, RunReader
from chat_service.streams.signals import Signals

_AGAIN_S = 0.5
_AWAY_MAX_S = 15.0
_SIBLINGS_SHOWN_MAX = 500

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Mirror:
    """What is read of one run, and by how many."""

    live: LiveReply
    run: RunningReply
    readers: int = 0
    task: asyncio.Task[None] | None = field(default=None)


class RunMirrors:
    """One instance per process. A run stores each event before it shows it, so it can be read from any id, by
    anybody's process.
    """

    def __init__(
        self,
        database: Database,
        agents: AgentClient,
        signals: Signals,
        *,
        tasks: TaskTracker,
        settings: ChatSettings,
    ) -> None:
        self._database = database
        self._agents = agents
        self._signals = signals
        self._tasks = tasks
        self._settings = settings
        self._mirrors: dict[UUID, _Mirror] = {}
        self._closed = False

    @asynccontextmanager
    async def following(self, reply: Reply) -> AsyncGenerator[LiveReply | None]:
        """A live log of the reply for as long as the block lasts; None unless an agent writes it at the
        moment.

        It closes when the turn ends, or the run does: how the reply ended is in the journal.
        """
        mirror = None if self._closed else self._mirrors.get(reply.message_id) or await self._begin(reply)
        if mirror is None:
            yield None
            return
        mirror.readers += 1
        try:
            yield mirror.live
        finally:
            mirror.readers -= 1
            if mirror.readers == 0:
                self._end(mirror)

    def close(self) -> None:
        """End all mirrors and begin no more: their readers resume by their last id in another process."""
        self._closed = True
        for mirror in list(self._mirrors.values()):
            mirror.live.close()

    async def _begin(self, reply: Reply) -> _Mirror | None:
        found = await read_through_outage(partial(self._look_up, reply), wait_max_s=_AWAY_MAX_S)
        if found is None or self._closed:
            return None
        run, first = found
        if (known := self._mirrors.get(reply.message_id)) is not None:
            return known  # another reader came first
        live = LiveReply(
            turn_id=run.turn_id,
            message_id=reply.message_id,
            first_id=run.first_event_id,
            base_text="",
            relayed=True,
        )
        live.emit("message", first)
        mirror = self._mirrors[reply.message_id] = _Mirror(live, run)
        mirror.task = self._tasks.spawn(self._watch(mirror), name=f"mirror of {reply.message_id}")
        return mirror

    async def _look_up(self, reply: Reply) -> tuple[RunningReply, dict[str, object]] | None:
        """The reply and its first event, when an agent writes it at the moment."""
        async with self._database.transaction() as session:
            run = await repository.running_reply(session, message_id=reply.message_id)
            row = None if run is None else await messages.find(session, reply.chat_id, reply.message_id)
            if run is None or row is None:
                return None
            return run, await message_event(session, row, siblings_max=_SIBLINGS_SHOWN_MAX)

    def _end(self, mirror: _Mirror) -> None:
        if self._mirrors.get(mirror.live.message_id) is mirror:
            del self._mirrors[mirror.live.message_id]
        if mirror.task is not None:
            mirror.task.cancel()

    async def _watch(self, mirror: _Mirror) -> None:
        """Read the run until it ends, or its turn does."""
        reading = self._tasks.spawn(self._read(mirror), name=f"run {mirror.live.message_id}")
        try:
            with self._signals.wakeups.watch(mirror.run.turn_id) as changed:
                reading.add_done_callback(lambda _: changed.set())
                while not reading.done():
                    changed.clear()
                    if not await self._still_runs(mirror):
                        return
                    # The end of a turn wakes; a lost signal costs a poll interval.
                    await set_within(changed, self._settings.follow_poll_s)
        finally:
            reading.cancel()
            mirror.live.close()

    async def _running(self, message_id: UUID) -> RunningReply | None:
        async with self._database.transaction() as session:
            return await repository.running_reply(session, message_id=message_id)

    async def _still_runs(self, mirror: _Mirror) -> bool:
        try:
            return await self._running(mirror.live.message_id) is not None
        except Exception as error:
            if not is_outage(error):
                raise
            return True  # not known: the run is read on

    async def _learn_left_out(self, mirror: _Mirror, reader: RunReader) -> bool:
        """Tell the reader what chat did not send to the run, which is stored before the run begins; False:
        the turn has ended, and its row says what was left out in all.
        """
        look = partial(self._running, mirror.live.message_id)
        run = await read_through_outage(look, wait_max_s=_AWAY_MAX_S)
        if run is not None and run.left_out is not None:
            reader.left_out = LeftOutEventData.model_validate(run.left_out)
        return run is not None

    async def _read(self, mirror: _Mirror) -> None:
        """Take the run's events until its last one."""
        reader = RunReader(mirror.live)
        principal = Principal.from_claims(mirror.run.principal)
        while True:
            try:
                async with aclosing(
                    self._agents.events(principal, mirror.live.message_id, after=reader.after)
                ) as events:
                    async for event in events:
                        if event.event == "left_out" and not await self._learn_left_out(mirror, reader):
                            return
                        if reader.take(event) is not None:
                            return
            except (UpstreamError, AppError) as error:
                log.info(
                    "the events of a run broke off; they are asked for again",
                    extra={"reason": type(error).__name__},
                )
            except MalformedRunError:
                return  # whoever writes the reply ends it
            await asyncio.sleep(_AGAIN_S)
