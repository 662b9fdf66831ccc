"""All SQL of holds, accounts, windows and entitlements. The money path is one database function a call,
without ORM.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast
from uuid import UUID

import asyncpg
from shared.contracts.billing import HoldProgress, RecordedUsage, ReserveRequest
from shared.errors import Unavailable

from billing_service.entitlements.group_commit import GroupCommit, Key, Waiting
from billing_service.entitlements.models import (
    ReserveCall,
    ReservePolicy,
    ReserveResult,
    SettleCall,
    SettleResult,
)
from billing_service.entitlements.schemas import EntitledBudget, WalletView
from billing_service.entitlements.sql_arguments import reserve_arguments, settle_arguments

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# One transaction and one flush for all of a group.
_SETTLE_AND_RESERVE = """
    SELECT * FROM settle_and_reserve($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20, $21, $22)
"""
_SETTLE_ENDED = """
    SELECT result, cost_nano, house_loss_nano, remaining_nano
    FROM settle_many(ARRAY[$1::uuid], $2, ARRAY[$3], ARRAY[$4], ARRAY[$5::timestamptz], ARRAY[$6::integer])
"""
_RELEASE = "SELECT release($1)"
_CHECKPOINT = "SELECT checkpoint($1, $2, $3)"
_USAGE = "SELECT request_id, state, cost_nano, input_tokens, output_tokens FROM hold WHERE request_id = $1"
_WALLET = """
    SELECT k.wallet_id AS id, w.balance_nano AS available_nano, h.balance_nano AS held_nano, w.balance_nano +
    h.balance_nano AS balance_nano
    FROM book k JOIN account w ON w.id = k.wallet_id JOIN account h ON h.id = k.held_id WHERE
    k.organisation_id = $1
"""
_BUDGETS = """
    SELECT b.id, b.scope, b.scope_id, b."window", b.limit_nano, coalesce(w.spent_nano, 0) AS spent_nano,
           coalesce(w.held_nano, 0) AS held_nano,
           greatest(0, b.limit_nano - coalesce(w.spent_nano, 0) - coalesce(w.held_nano, 0)) AS remaining_nano,
           window_end(b."window", window_start(b."window", now())) AS resets_at
    FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start =
    window_start(b."window", now())
    WHERE b.organisation_id = $1 AND b.scope_id = ANY ($2) ORDER BY b.id
"""
# Before the settlement, so that a comparison with the provider's figures never takes a settled call for
# somebody else's.
_NOTE_PROVIDER = """
    INSERT INTO provider_call (provider_request_id, request_id, model, occurred_at, reported_nano)
    SELECT $1, request_id, model, created_at, $3 FROM hold WHERE request_id = $2 ON CONFLICT DO NOTHING
"""
_Call: TypeAlias = ReserveCall | SettleCall
_Result: TypeAlias = ReserveResult | SettleResult
_ACQUIRE_TIMEOUT_S = 5
_CALL_TIMEOUT_S = 15
_RETRY_PAUSE_S = 0.05
_OPEN_HOLDS_MAX = 20_000
_LOST = (
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    OSError,
)
_BUSY = (
    TimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
)


_SETTLED = ("outcome", "amount_nano", "house_loss_nano", "remaining_nano")


class EntitlementRepository:
    """Each call is one transaction, shared with calls of its organisation that came at the same time.

    Every function repeats safely, so a connection that broke is tried once more.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._calls = GroupCommit[_Call, _Result](self._run)
        self._deciding: dict[UUID, asyncio.Future[_Result]] = {}
        # Of the open holds of this process, so that a settlement finds its batch.
        self._queues: dict[UUID, Key] = {}

    async def _rows(self, query: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """Raises: Unavailable when the database does not answer."""
        try:
            return await self._fetch(query, arguments)
        except _BUSY as error:  # before _LOST: TimeoutError is an OSError
            raise Unavailable(
                "billing is too busy to decide; nothing was charged, try again", retry_after_s=1
            ) from error
        except _LOST:
            # A restarted server leaves every pooled connection dead: drop them and try once on a fresh one.
            await self._pool.expire_connections()
        await asyncio.sleep(_RETRY_PAUSE_S)
        try:
            return await self._fetch(query, arguments)
        except (*_BUSY, *_LOST) as error:
            raise Unavailable(
                "billing cannot reach its database; nothing is served unmetered, try again", retry_after_s=2
            ) from error

    async def _fetch(self, query: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            return await connection.fetch(query, *arguments, timeout=_CALL_TIMEOUT_S)

    async def reserve(self, request: ReserveRequest, policy: ReservePolicy) -> ReserveResult:
        """Hold or refuse. Raises: Unavailable."""
        return await self.begin_reserve(request, policy)

    def begin_reserve(
        self, request: ReserveRequest, policy: ReservePolicy
    ) -> Coroutine[Any, Any, ReserveResult]:
        """As reserve(): queued when this returns, decided when it is awaited."""
        key: Key = (request.principal.organisation_id, policy)
        waiting = self._calls.submit(key, ReserveCall(request, policy))
        self._deciding[request.request_id] = waiting.answer
        waiting.answer.add_done_callback(lambda answer: self._decided(request.request_id, answer))
        return self._reserved(key, request.request_id, waiting)

    def _decided(self, dispatch_id: UUID, answer: "asyncio.Future[_Result]") -> None:
        if (
            self._deciding.get(dispatch_id) is answer
        ):  # else a repeat of the same reserve is still to be decided
            del self._deciding[dispatch_id]

    async def _reserved(
        self, key: Key, dispatch_id: UUID, waiting: "Waiting[_Call, _Result]"
    ) -> ReserveResult:
        result = cast("ReserveResult", await self._calls.result(waiting))
        if result.outcome == "held":
            self._queues[dispatch_id] = key
            if len(self._queues) > _OPEN_HOLDS_MAX:
                del self._queues[next(iter(self._queues))]
        return result

    async def settle(
        self,
        dispatch_id: UUID,
        buckets: list[int],
        *,
        source: str,
        outcome: str,
        occurred_at: datetime,
        latency_ms: int,
    ) -> SettleResult:
        """Charge, or say why not. Raises: Unavailable."""
        return await self.begin_settle(
            SettleCall(dispatch_id, buckets, source, outcome, occurred_at, latency_ms)
        )

    def begin_settle(self, call: SettleCall) -> Coroutine[Any, Any, SettleResult]:
        """As settle(): queued when this returns, done when it is awaited."""
        # Held by another process: it goes alone, because a transaction touches one organisation only.
        key = self._queues.pop(call.dispatch_id, (call.dispatch_id, None))
        return self._settled(call, self._calls.submit(key, call))

    async def _settled(self, call: SettleCall, waiting: "Waiting[_Call, _Result]") -> SettleResult:
        settled = cast("SettleResult", await self._calls.result(waiting))
        if settled.result != "not_held":
            return settled
        # It was settled or released before, it has expired, or it was never held: an affair of its own, which
        # must not touch those that were decided with it.
        columns = (
            call.dispatch_id,
            call.buckets,
            call.source,
            call.outcome,
            call.occurred_at,
            call.latency_ms,
        )
        return SettleResult(*(await self._rows(_SETTLE_ENDED, columns))[0])

    async def note_provider(
        self, dispatch_id: UUID, provider_request_id: str, *, cost_nano: int | None
    ) -> None:
        """Remember the provider's own id of a dispatch, and what it said that it billed."""
        await self._rows(_NOTE_PROVIDER, (provider_request_id, dispatch_id, cost_nano))

    async def release(self, dispatch_id: UUID) -> str:
        """released, settled or unknown."""
        self._queues.pop(dispatch_id, None)
        if (
            answer := self._deciding.get(dispatch_id)
        ) is not None:  # its caller gave up before it was decided
            await asyncio.wait({answer})
        return (await self._rows(_RELEASE, (dispatch_id,)))[0][0]

    async def _run(self, calls: "list[_Call]") -> "list[_Result]":
        try:
            return await self._decide(calls)
        except asyncpg.UniqueViolationError:
            if len(calls) > 1 or isinstance(calls[0], SettleCall):
                raise
            # The same dispatch id raced itself: the winner has committed by now, so the second look finds it.
            return await self._decide(calls)

    async def _decide(self, calls: "list[_Call]") -> "list[_Result]":
        settles = [call for call in calls if isinstance(call, SettleCall)]
        reserves = [call for call in calls if isinstance(call, ReserveCall)]
        rows = await self._rows(
            _SETTLE_AND_RESERVE, (*settle_arguments(settles), *reserve_arguments(reserves))
        )
        settled = (SettleResult(*(row[name] for name in _SETTLED)) for row in rows[: len(settles)])
        held = (ReserveResult(*row[1:14]) for row in rows[len(settles) :])
        return [next(settled) if isinstance(call, SettleCall) else next(held) for call in calls]

    async def checkpoint(self, holds: list[HoldProgress], *, ttl_s: float) -> set[UUID]:
        """The ids that are still held, now renewed."""
        rows = await self._rows(
            _CHECKPOINT, ([hold.request_id for hold in holds], [hold.output_tokens for hold in holds], ttl_s)
        )
        return {row[0] for row in rows}

    async def usage(self, dispatch_id: UUID) -> RecordedUsage | None:
        rows = await self._rows(_USAGE, (dispatch_id,))
        return RecordedUsage(**dict(rows[0])) if rows else None

    async def open_accounts(self, organisation_id: UUID, *, grant_nano: int) -> None:
        await self._rows("SELECT open_book($1, $2)", (organisation_id, grant_nano))

    async def ensure_default_budget(
        self, organisation_id: UUID, user_id: UUID, *, limit_nano: int | None
    ) -> None:
        await self._rows("SELECT ensure_default_budget($1, $2, $3)", (organisation_id, user_id, limit_nano))

    async def apply_default_budgets(self, limit_nano: int | None, *, ceiling_nano: int | None) -> None:
        """Bring the budgets nobody set to today's settings; a limit of None removes them. Windows only widen,
        so no hold breaks.
        """
        await self._rows("SELECT apply_default_budgets($1, $2)", (limit_nano, ceiling_nano))

    async def wallet(self, organisation_id: UUID) -> WalletView | None:
        rows = await self._rows(_WALLET, (organisation_id,))
        return WalletView.model_validate(dict(rows[0])) if rows else None

    async def budgets(self, organisation_id: UUID, scope_ids: list[UUID]) -> list[EntitledBudget]:
        return [
            EntitledBudget.model_validate(dict(row))
            for row in await self._rows(_BUDGETS, (organisation_id, scope_ids))
        ]
