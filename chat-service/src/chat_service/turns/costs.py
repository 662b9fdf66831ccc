"""What stopped and interrupted replies cost: their stream ended before the price was told, so billing or the run is asked."""

import asyncio
import logging
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.agents import AgentClient
from shared.clients.billing import BillingClient
from shared.clients.costs import cost_of
from shared.clock import monotonic_s
from shared.contracts.chat import MessageUsage
from shared.db import Database
from shared.errors import AppError

from chat_service.messages import service as messages
from chat_service.settings import ChatSettings
from chat_service.turns import repository
from chat_service.turns.repository import CostCheck

_BATCH_MAX = 20
_ASK_AGAIN_S = 0.1

log = logging.getLogger(__name__)


class Costs:
    """Asks billing for the cost of dispatches, agents for that of runs, and adds it to their replies, once."""

    def __init__(self, database: Database, billing: BillingClient, agents: AgentClient, settings: ChatSettings) -> None:
        self._database = database
        self._billing = billing
        self._agents = agents
        self._settings = settings

    async def ask_for(self, dispatch_id: str, wait_s: float) -> MessageUsage | None:
        """What a dispatch took, asked for again for up to `wait_s`: inference settles a cancelled stream within moments."""
        deadline = monotonic_s() + wait_s
        while (usage := await cost_of(self._billing, dispatch_id)) is None and monotonic_s() < deadline:  # noqa: ASYNC110 - billing has no event to wait for
            await asyncio.sleep(_ASK_AGAIN_S)
        return usage

    async def _ask_run(self, claims: dict[str, object], run_id: UUID) -> MessageUsage | None:
        """What a run took; None while it runs, its price is not known, or nobody answers."""
        try:
            run = await self._agents.run(Principal.from_claims(claims), run_id)
        except (AppError, KeyError, ValueError):
            return None
        if run.ended_at is None or run.usage is None or run.usage.cost_nano is None:
            return None
        return run.usage

    async def _ask_again(self, check: CostCheck) -> MessageUsage | None:
        if check.principal is not None:
            return await self._ask_run(check.principal, check.message_id)
        return None if check.dispatch_id is None else await cost_of(self._billing, check.dispatch_id)

    async def check_due(self) -> None:
        """Ask for every cost that is due. No transaction is open while others are asked."""
        async with self._database.transaction() as session:
            due = await repository.claim_cost_checks(session, limit=_BATCH_MAX)
        for check in due:
            usage = await self._ask_again(check)
            if usage is not None:
                await self._add(check, usage)

    async def _add(self, check: CostCheck, usage: MessageUsage) -> None:
        if check.tokens_known:
            usage = MessageUsage(cost_nano=usage.cost_nano)
        async with self._database.transaction() as session:
            if await repository.settle_cost(session, turn_id=check.turn_id):
                await messages.add_usage(session, chat_id=check.chat_id, message_id=check.message_id, usage=usage)

    async def give_up_old(self) -> None:
        """Stop asking for costs that nobody knows after COST_WAIT_MAX_S."""
        async with self._database.transaction() as session:
            await repository.give_up_costs(session, wait_max_s=self._settings.cost_wait_max_s)
