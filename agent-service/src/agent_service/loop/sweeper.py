"""What a process that is gone left undone: runs without workflow or of another version, or that were claimed
and never started; decisions nobody heard of, stops of others.
"""

import logging
from uuid import UUID

from shared.db import Database
from shared.durable import DurableEngine
from shared.outages import is_outage
from shared.replies.stopping import end_reason_of
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.events.live import LiveRuns
from agent_service.events.writer import EventWriter
from agent_service.loop.outcomes import internal_error
from agent_service.loop.workflow import KIND, add_last_events, approval_topic, end_values, workflow_id
from agent_service.records import event_repository, repository, step_repository
from agent_service.records.models import RunRow

_BATCH_MAX = 100
_AGE_S = 3.0
"""A run this old has been handed to the engine, or its process died before it could."""

log = logging.getLogger(__name__)


class Sweeper:
    """One a process."""

    def __init__(self, database: Database, engine: DurableEngine, live: LiveRuns, *, owner: str) -> None:
        self._database = database
        self._engine = engine
        self._live = live
        self._owner = owner
        self._after: UUID | None = None

    async def stop_cancelled(self) -> None:
        """Stop the runs of this process that another one was asked to stop."""
        if not self._live.runs:
            return
        async with self._database.transaction() as session:
            stopped = await repository.cancel_requested(session, list(self._live.runs))
        for run_id, end_reason in stopped.items():
            self._live.stop(run_id, end_reason_of(end_reason))

    async def sweep(self) -> None:
        """Take over what another version left, tell workflows what they did not hear, and look at a batch of
        open runs of others.
        """
        # What their steps came to is in their rows, and whoever opens a run owns it: so they may start again.
        await self._engine.take_over()
        async with self._database.transaction() as session:
            unheard = await step_repository.undelivered_decisions(session, limit=_BATCH_MAX)
            rows = await repository.open_since(session, age_s=_AGE_S, after=self._after, limit=_BATCH_MAX)
        self._after = rows[-1].id if len(rows) == _BATCH_MAX else None
        for call in unheard:
            key = f"again {call.run_id} {call.call_id}"
            await self._engine.send(workflow_id(call.run_id), approval_topic(call.call_id), None, key=key)
        for row in rows:
            if row.id not in self._live.runs:
                await self._look_after(row)

    async def _look_after(self, row: RunRow) -> None:
        """As `_look_at`; one run that cannot be read does not keep those behind it from being looked at."""
        try:
            await self._look_at(row)
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("an open run cannot be looked at", extra={"run_id": str(row.id)})

    async def _look_at(self, row: RunRow) -> None:
        state = await self._engine.state(workflow_id(row.id))
        if state is None:
            await self._engine.start(KIND, str(row.id), workflow_id=workflow_id(row.id))
        elif state in {"failed", "cancelled", "done"}:
            await self._end(row.id)

    async def _end(self, run_id: UUID) -> None:
        """Write down that the run failed: its workflow could not."""
        log.error("a run lost its workflow and is ended", extra={"run_id": str(run_id)})
        async with self._database.transaction() as session:
            if await repository.claim(session, run_id, owner=self._owner) is None:
                return
            last_ids = await event_repository.last_ids(session, [run_id])
            await step_repository.fail_open(session, run_id)
            steps = await step_repository.latest_attempts(session, run_id)
            usage = (await step_repository.usage(session, [run_id])).get(run_id)
        ending = internal_error()
        writer = EventWriter(
            self._database,
            run_id=run_id,
            owner=self._owner,
            last_id=last_ids.get(run_id, 0),
            on_stored=self._live.wakeups.wake,
        )
        add_last_events(writer, ending, usage)
        values = end_values(ending, steps)

        async def record(session: AsyncSession) -> None:
            await repository.end(session, run_id, values)

        await writer.commit(record)
