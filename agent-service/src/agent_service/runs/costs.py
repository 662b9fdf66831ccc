"""What model steps cost whose stream ended before the price was told: billing is asked by their dispatch id."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from shared.clients.billing import BillingClient
from shared.clients.costs import cost_of
from shared.clock import monotonic_s
from shared.db import Database

from agent_service.runs import step_repository
from agent_service.runs.step_repository import CostCheck
from agent_service.settings import AgentSettings

_BATCH_MAX = 20
_ASK_AGAIN_S = 0.1


class Costs:
    """One a process."""

    def __init__(self, database: Database, billing: BillingClient, settings: AgentSettings) -> None:
        self._database = database
        self._billing = billing
        self._settings = settings

    async def check_due(self) -> None:
        """Ask for every cost that is due. No transaction is open while billing is asked."""
        async with self._database.transaction() as session:
            due = await step_repository.claim_cost_checks(session, limit=_BATCH_MAX)
        await self._settle(due)

    async def wait_for(self, run_id: UUID) -> None:
        """Ask for the costs a run misses, for a moment: inference settles a cancelled stream within one."""
        deadline = monotonic_s() + self._settings.stop_cost_wait_s
        while True:
            async with self._database.transaction() as session:
                missing = await step_repository.pending_costs(session, run_id)
            if await self._settle(missing) == len(missing) or monotonic_s() >= deadline:
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def give_up_old(self) -> None:
        """Stop asking for costs that nobody knows after COST_WAIT_MAX_S."""
        async with self._database.transaction() as session:
            await step_repository.give_up_costs(session, wait_max_s=self._settings.cost_wait_max_s)

    async def _settle(self, checks: Sequence[CostCheck]) -> int:
        """How many are known now."""
        known = 0
        for check in checks:
            usage = await cost_of(self._billing, check.dispatch_id)
            if usage is not None:
                async with self._database.transaction() as session:
                    await step_repository.settle_cost(session, check.key, usage)
                known += 1
        return known
