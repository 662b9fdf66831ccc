"""Takes over ingestions of another version, starts those that were claimed and never started, and ends those
that nobody works on any more, so that no file waits for ever.
"""

import logging
from datetime import timedelta

from shared.clock import monotonic_s, utc_now
from shared.db import Database
from shared.durable import DurableEngine

from retrieval_service.files import progress
from retrieval_service.ingestion.workflow import Ingestion, workflow_id

_QUIET = timedelta(minutes=2)
_BATCH_MAX = 100

log = logging.getLogger(__name__)


class IngestionSweeper:
    """One per process, run every minute. A file is lost when its workflow has ended without it, or says
    nothing for `stale_s`.
    """

    def __init__(
        self, database: Database, engine: DurableEngine, ingestion: Ingestion, *, stale_s: float
    ) -> None:
        self._database = database
        self._engine = engine
        self._ingestion = ingestion
        self._stale_s = stale_s
        self._started_at_s = monotonic_s()

    async def run(self) -> None:
        # Each step removes or overwrites what it may have written before: so they may begin again.
        await self._engine.take_over()
        now = utc_now()
        async with self._database.transaction() as session:
            quiet = await progress.unfinished(session, quiet_before=now - _QUIET, limit=_BATCH_MAX)
        for file_id, attempt, changed_at in quiet:
            state = await self._engine.state(workflow_id(file_id, attempt))
            # While the service was down everything was silent: what continues after a start has a new chance
            # to say so.
            silent_s = min((now - changed_at).total_seconds(), monotonic_s() - self._started_at_s)
            if state == "waiting" or (state == "running" and silent_s < self._stale_s):
                continue
            log.warning(
                "an ingestion was lost", extra={"file_id": str(file_id), "attempt": attempt, "state": state}
            )
            await self._ingestion.give_up(
                file_id, attempt, code="interrupted", detail="reading this file was interrupted; try it again"
            )
