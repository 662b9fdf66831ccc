"""Costs that were not told in a stream: asked for again until they are known, stored once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import monotonic_s
from shared.contracts.chat import MessageUsage
from shared.db import Database

BATCH_MAX = 20
_ASK_AGAIN_S = 0.1

C = TypeVar("C")
T = TypeVar("T")


class PendingCosts(Generic[C]):
    """Asks for the costs of rows that miss theirs (`C`). No transaction is open while others are asked.

    `claim` gives the rows that are due, `ask` a row's usage once it is known, `settle` stores it, unless that
    was done before.
    """

    def __init__(
        self,
        database: Database,
        *,
        claim: Callable[[AsyncSession], Awaitable[Sequence[C]]],
        ask: Callable[[C], Awaitable[MessageUsage | None]],
        settle: Callable[[AsyncSession, C, MessageUsage], Awaitable[None]],
    ) -> None:
        self._database = database
        self._claim = claim
        self._ask = ask
        self._settle = settle

    async def check_due(self) -> None:
        """Ask for every cost that is due."""
        async with self._database.transaction() as session:
            due = await self._claim(session)
        await self.check(due)

    async def check(self, rows: Sequence[C]) -> int:
        """Ask for the costs of `rows`; how many are known now."""
        known = 0
        for row in rows:
            if (usage := await self._ask(row)) is not None:
                async with self._database.transaction() as session:
                    await self._settle(session, row, usage)
                known += 1
        return known


async def until_known(ask: Callable[[], Awaitable[T | None]], *, wait_s: float) -> T | None:
    """What `ask` gives, asked again for up to `wait_s`: inference settles a cancelled stream within
    moments.
    """
    deadline_s = monotonic_s() + wait_s
    # Billing has no event to wait for.
    while (known := await ask()) is None and monotonic_s() < deadline_s:  # noqa: ASYNC110
        await asyncio.sleep(_ASK_AGAIN_S)
    return known
