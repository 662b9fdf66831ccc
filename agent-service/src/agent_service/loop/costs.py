"""What model steps cost whose stream ended before the price was told: billing is asked by their
dispatch id.
"""

from functools import partial
from uuid import UUID

from shared.clients.billing import BillingClient
from shared.clients.costs import cost_of
from shared.contracts.chat import MessageUsage
from shared.db import Database
from shared.replies.costs import BATCH_MAX, PendingCosts, until_known
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.records import step_repository
from agent_service.records.step_repository import CostCheck
from agent_service.settings import AgentSettings


class Costs:
    """One instance per process."""

    def __init__(self, database: Database, billing: BillingClient, settings: AgentSettings) -> None:
        self._database = database
        self._billing = billing
        self._settings = settings
        claim = partial(step_repository.claim_cost_checks, limit=BATCH_MAX)
        self._pending = PendingCosts(database, claim=claim, ask=self._ask, settle=_settle)
        self.check_due = self._pending.check_due

    async def wait_for(self, run_id: UUID) -> None:
        """Ask for the costs a run misses, for a moment."""
        await until_known(partial(self._all_known, run_id), wait_s=self._settings.stop_cost_wait_s)

    async def drop_old_checks(self) -> None:
        """Stop asking for costs that nobody knows after COST_WAIT_MAX_S."""
        async with self._database.transaction() as session:
            await step_repository.drop_cost_checks(session, wait_max_s=self._settings.cost_wait_max_s)

    async def _all_known(self, run_id: UUID) -> bool | None:
        async with self._database.transaction() as session:
            missing = await step_repository.pending_costs(session, run_id)
        return True if await self._pending.check(missing) == len(missing) else None

    async def _ask(self, check: CostCheck) -> MessageUsage | None:
        return await cost_of(self._billing, check.dispatch_id)


async def _settle(session: AsyncSession, check: CostCheck, usage: MessageUsage) -> None:
    await step_repository.settle_cost(session, check.key, usage)
