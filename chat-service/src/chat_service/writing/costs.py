"""What stopped and interrupted replies cost: their stream ended before the price was told, so billing or the
run is asked.
"""

from functools import partial
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.agents import AgentClient
from shared.clients.billing import BillingClient
from shared.clients.costs import cost_of
from shared.contracts.chat import MessageUsage
from shared.db import Database
from shared.errors import AppError
from shared.replies.costs import BATCH_MAX, PendingCosts, until_known
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.settings import ChatSettings
from chat_service.writing import repository
from chat_service.writing.repository import CostCheck


class Costs:
    """Asks billing for the cost of dispatches, agents for that of runs, and adds it to their
    replies, once.
    """

    def __init__(
        self, database: Database, billing: BillingClient, agents: AgentClient, settings: ChatSettings
    ) -> None:
        self._database = database
        self._billing = billing
        self._agents = agents
        self._settings = settings
        claim = partial(repository.claim_cost_checks, limit=BATCH_MAX)
        self._pending = PendingCosts(database, claim=claim, ask=self._ask, settle=_settle)
        self.check_due = self._pending.check_due

    async def ask_for(self, dispatch_id: str, wait_s: float) -> MessageUsage | None:
        """What a dispatch took, asked for again for up to `wait_s`."""
        return await until_known(partial(cost_of, self._billing, dispatch_id), wait_s=wait_s)

    async def _ask_run(self, claims: dict[str, object], run_id: UUID) -> MessageUsage | None:
        """What a run took; None while it runs, its price is not known, or nobody answers."""
        try:
            run = await self._agents.run(Principal.from_claims(claims), run_id)
        except (AppError, KeyError, ValueError):
            return None
        if run.ended_at is None or run.usage is None or run.usage.cost_nano is None:
            return None
        return run.usage

    async def _ask(self, check: CostCheck) -> MessageUsage | None:
        if check.principal is not None:
            return await self._ask_run(check.principal, check.message_id)
        return None if check.dispatch_id is None else await cost_of(self._billing, check.dispatch_id)

    async def drop_old_checks(self) -> None:
        """Stop asking for costs that nobody knows after COST_WAIT_MAX_S."""
        async with self._database.transaction() as session:
            await repository.drop_cost_checks(session, wait_max_s=self._settings.cost_wait_max_s)


async def _settle(session: AsyncSession, check: CostCheck, usage: MessageUsage) -> None:
    if check.tokens_known:
        usage = MessageUsage(cost_nano=usage.cost_nano)
    if await repository.settle_cost(session, turn_id=check.turn_id):
        await messages.add_usage(session, chat_id=check.chat_id, message_id=check.message_id, usage=usage)
