"""The synchronisation with OpenRouter: final costs of what was settled here, and usage of the account that
was not.
"""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from shared.auth.principal import DEFAULT_ORGANISATION_ID
from shared.clock import utc_now
from shared.db import Database
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.tracking import repository
from billing_service.tracking.openrouter import (
    Activity,
    AnswerUnreadableError,
    OpenRouter,
    ProviderPausedError,
    ProviderRefusedError,
)

log = logging.getLogger(__name__)

LOOK_S = 1.0
_PAGE = 50
_LEASE_S = 300.0
_REFUSED_WAIT_S = 3600.0


class OpenRouterSync:
    """One run at a time over all processes. It can be broken off anywhere: the next one continues from what
    is stored.
    """

    def __init__(
        self,
        database: Database,
        openrouter: OpenRouter,
        *,
        interval_s: float,
        days_back: int,
        organisation_id: UUID = DEFAULT_ORGANISATION_ID,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._openrouter = openrouter
        self._interval_s = interval_s
        self._days_back = days_back
        self._organisation_id = organisation_id
        self._now = now

    async def look(self) -> bool:
        """Run when a run is due. Returns whether one was."""
        async with self._database.transaction() as session:
            due = await repository.begin_sync(session, lease_s=_LEASE_S)
        if due is None:
            return False
        days_back, next_day = due
        try:
            await self._generations(days_back)
            await self._days(days_back, next_day)
        except ProviderPausedError as pause:
            await self._pause(str(pause), wait_s=pause.wait_s)
            return True
        except ProviderRefusedError as refusal:
            log.warning("usage of OpenRouter cannot be read", extra={"reason": str(refusal)})
            await self._pause(str(refusal), wait_s=_REFUSED_WAIT_S)
            return True
        async with self._database.transaction() as session:
            next_run_at = self._now() + timedelta(seconds=self._interval_s)
            await repository.finish_sync(session, next_run_at=next_run_at, days_back=self._days_back)
        return True

    async def _generations(self, days_back: int) -> None:
        """Fetch the final cost of calls that lack it, a page at a time; each is stored as it comes."""
        while True:
            async with self._database.transaction() as session:
                page = await repository.open_calls(session, days=days_back + 1, rows_max=_PAGE)
            for generation_id in page:
                await self._reconcile(generation_id)
            if len(page) < _PAGE:
                return

    async def _reconcile(self, generation_id: str) -> None:
        try:
            found = await self._openrouter.generation(generation_id)
        except AnswerUnreadableError as error:
            log.warning(
                "a generation of OpenRouter cannot be read",
                extra={"generation_id": generation_id, "reason": str(error)},
            )
            found = None
        async with self._database.transaction() as session:
            if found is None:
                await repository.not_yet(session, generation_id)
                return
            values = {
                "model": found.model,
                "cost_nano": found.cost_nano,
                "input_tokens": found.input_tokens,
                "output_tokens": found.output_tokens,
                "billed_at": found.created_at,
            }
            new = await repository.set_billed(session, generation_id, values)
            await repository.advance(session, lease_s=_LEASE_S, generations=int(new))

    async def _days(self, days_back: int, next_day: date | None) -> None:
        """Compare each complete day of the account's activity with what was settled here."""
        if not self._openrouter.knows_activity:
            return
        today = self._now().astimezone(UTC).date()
        day = max(next_day or date.min, today - timedelta(days=days_back))
        while day < today:
            rows = await self._openrouter.activity(day)
            async with self._database.transaction() as session:
                for row in rows:
                    await self._compare(session, row)
                day += timedelta(days=1)
                await repository.advance(session, lease_s=_LEASE_S, day=day)

    async def _compare(self, session: AsyncSession, row: Activity) -> None:
        cost, tokens_in, tokens_out, calls = await repository.settled_here(
            session, models=sorted(row.names), day=row.day
        )
        transaction_id = f"openrouter:{row.day}:{row.model}"[:200]
        rest = {
            "cost_nano": max(0, row.cost_nano - cost),
            "input_tokens": max(0, row.input_tokens - tokens_in),
            "output_tokens": max(0, row.output_tokens - tokens_out),
            "requests": max(0, row.requests - calls),
        }
        if not any(rest.values()):
            await repository.drop_elsewhere(session, self._organisation_id, transaction_id)
            return
        noon = datetime.combine(row.day, time(12), UTC)
        values = {"transaction_id": transaction_id, "model": row.model, "occurred_at": noon, **rest}
        await repository.set_elsewhere(session, self._organisation_id, values)

    async def _pause(self, reason: str, *, wait_s: float) -> None:
        async with self._database.transaction() as session:
            await repository.pause_sync(
                session, until=self._now() + timedelta(seconds=wait_s), error=reason[:500]
            )
