"""Runs that must end: asked of the agent-service at once, and again until it has heard it."""

import logging
from uuid import UUID

from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.clients.agents import AgentClient
from shared.db import Database
from shared.errors import AppError, TooManyRequests, Unavailable
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agent_runs import repository

_BATCH_MAX = 20
_RUN_MAX_S = 86_400.0
"""No run is longer than a day."""

log = logging.getLogger(__name__)


async def note(session: AsyncSession, principal: Principal, run_id: UUID) -> None:
    """The run is to end once the caller's transaction has committed; call `kick` then."""
    await repository.add_cancellation(session, run_id=run_id, principal=principal.to_claims())


class RunCancellations:
    """Delivers noted cancellations; any number of processes run one."""

    def __init__(self, database: Database, agents: AgentClient, tasks: TaskTracker) -> None:
        self._database = database
        self._agents = agents
        self._tasks = tasks

    async def ask(self, principal: Principal, run_id: UUID) -> None:
        """Note the run and see to it at once."""
        async with self._database.transaction() as session:
            await note(session, principal, run_id)
        self.kick()

    def kick(self) -> None:
        """Deliver what is due now, beside the caller."""
        self._tasks.spawn(self.run_due(), name="run cancellations")

    async def run_due(self) -> None:
        """Deliver every cancellation that is due. No transaction is open while the agent-service is asked."""
        async with self._database.transaction() as session:
            due = await repository.claim_cancellations(session, limit=_BATCH_MAX)
        for run_id, claims in due:
            if await self._deliver(run_id, claims):
                async with self._database.transaction() as session:
                    await repository.remove_cancellation(session, run_id=run_id)

    async def _deliver(self, run_id: UUID, claims: dict[str, object]) -> bool:
        """Whether the agent-service answered; a run it does not have needs no end."""
        try:
            await self._agents.cancel(Principal.from_claims(claims), run_id)
        except (Unavailable, TooManyRequests):
            return False
        except (AppError, KeyError, ValueError) as error:
            log.info(
                "a run needed no cancellation", extra={"run_id": str(run_id), "reason": type(error).__name__}
            )
        return True

    async def purge_old(self) -> None:
        """Drop what concerns runs that have ended by their own limits."""
        async with self._database.transaction() as session:
            await repository.purge_cancellations(session, wait_max_s=_RUN_MAX_S)
