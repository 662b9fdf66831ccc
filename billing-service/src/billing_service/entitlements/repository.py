"""All SQL of holds, accounts, windows and entitlements. The money path is one database function a call, without ORM."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from shared.contracts.billing import HoldProgress, RecordedUsage, ReserveRequest
from shared.errors import Unavailable

from billing_service.entitlements.batches import reserve_arguments, settle_arguments
from billing_service.entitlements.group_commit import Gates, GroupCommit
from billing_service.entitlements.models import BudgetState, ReservePolicy, ReserveResult, SettleCall, SettleResult, Wallet

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_RESERVE = "SELECT * FROM reserve_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
_SETTLE = "SELECT * FROM settle_many($1, $2, $3, $4, $5, $6)"
_RELEASE = "SELECT release($1)"
_CHECKPOINT = "SELECT checkpoint($1, $2, $3)"
_USAGE = "SELECT request_id, state, cost_nano, input_tokens, output_tokens FROM hold WHERE request_id = $1"
_WALLET = """
    SELECT k.wallet_id AS id, w.balance_nano AS available_nano, h.balance_nano AS held_nano
    FROM book k JOIN account w ON w.id = k.wallet_id JOIN account h ON h.id = k.held_id WHERE k.organisation_id = $1
"""
_BUDGETS = """
    SELECT b.id, b.scope, b.scope_id, b."window", b.limit_nano, coalesce(w.spent_nano, 0) AS spent_nano,
           coalesce(w.held_nano, 0) AS held_nano, window_end(b."window", window_start(b."window", now())) AS resets_at
    FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = window_start(b."window", now())
    WHERE b.organisation_id = $1 AND b.scope_id = ANY ($2) ORDER BY b.id
"""
# Before the settlement, so that a comparison with the provider's figures never takes a settled call for somebody else's.
_NOTE_PROVIDER = """
    INSERT INTO provider_call (provider_request_id, request_id, model, occurred_at, reported_nano)
    SELECT $1, request_id, model, created_at, $3 FROM hold WHERE request_id = $2 ON CONFLICT DO NOTHING
"""
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
_BUSY = (TimeoutError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.TooManyConnectionsError)


class EntitlementRepository:
    """Each call is one transaction, shared with calls of its organisation that came at the same time.

    Every function repeats safely, so a connection that broke is tried once more.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        gates = Gates()
        self._reserves = GroupCommit(self._reserve_many, gates)
        self._settles = GroupCommit(self._settle_many, gates)
        self._deciding: dict[UUID, asyncio.Future[ReserveResult]] = {}
        # Of the open holds of this process, so that a settlement finds its batch.
        self._organisations: dict[UUID, UUID] = {}

    async def _rows(self, query: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """Raises: Unavailable when the database does not answer."""
        try:
            return await self._fetch(query, arguments)
        except _BUSY as error:  # before _LOST: TimeoutError is an OSError
            raise Unavailable("billing is too busy to decide; nothing was charged, try again", retry_after_s=1) from error
        except _LOST:
            # A restarted server leaves every pooled connection dead: drop them and try once on a fresh one.
            await self._pool.expire_connections()
        await asyncio.sleep(_RETRY_PAUSE_S)
        try:
            return await self._fetch(query, arguments)
        except (*_BUSY, *_LOST) as error:
            raise Unavailable("billing cannot reach its database; nothing is served unmetered, try again", retry_after_s=2) from error

    async def _fetch(self, query: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            return await connection.fetch(query, *arguments, timeout=_CALL_TIMEOUT_S)

    async def reserve(self, request: ReserveRequest, policy: ReservePolicy) -> ReserveResult:
        """Hold or refuse. Raises: Unavailable."""
        organisation_id, request_id = request.principal.organisation_id, request.request_id
        waiting = self._reserves.submit((organisation_id, policy), (request, policy))
        self._deciding[request_id] = waiting.answer
        waiting.answer.add_done_callback(lambda _: self._deciding.pop(request_id, None))
        result = await self._reserves.result(waiting)
        if result.outcome == "held":
            self._organisations[request_id] = organisation_id
            if len(self._organisations) > _OPEN_HOLDS_MAX:
                del self._organisations[next(iter(self._organisations))]
        return result

    async def settle(
        self, request_id: UUID, buckets: list[int], *, source: str, outcome: str, occurred_at: datetime, latency_ms: int
    ) -> SettleResult:
        """Charge, or say why not. Raises: Unavailable."""
        # Held by another process: it goes alone, because a transaction touches one organisation only.
        key = self._organisations.pop(request_id, request_id)
        call = SettleCall(request_id, buckets, source, outcome, occurred_at, latency_ms)
        return await self._settles.result(self._settles.submit((key, None), call))

    async def note_provider(self, request_id: UUID, provider_request_id: str, *, cost_nano: int | None) -> None:
        """Remember the provider's own id of a dispatch, and what it said that it billed."""
        await self._rows(_NOTE_PROVIDER, (provider_request_id, request_id, cost_nano))

    async def release(self, request_id: UUID) -> str:
        """released, settled or unknown."""
        self._organisations.pop(request_id, None)
        if (answer := self._deciding.get(request_id)) is not None:  # its caller gave up before it was decided
            await asyncio.wait({answer})
        return (await self._rows(_RELEASE, (request_id,)))[0][0]

    async def _reserve_many(self, calls: list[tuple[ReserveRequest, ReservePolicy]]) -> list[ReserveResult]:
        arguments = reserve_arguments(calls)
        try:
            rows = await self._rows(_RESERVE, arguments)
        except asyncpg.UniqueViolationError:
            if len(calls) > 1:
                raise
            # The same request id raced itself: the winner has committed by now, so the second look finds it.
            rows = await self._rows(_RESERVE, arguments)
        return [ReserveResult(*row[1:]) for row in rows]

    async def _settle_many(self, calls: list[SettleCall]) -> list[SettleResult]:
        rows = await self._rows(_SETTLE, settle_arguments(calls))
        results = {row[0]: SettleResult(*row[1:]) for row in rows}
        return [results[number] for number in range(1, len(calls) + 1)]

    async def checkpoint(self, holds: list[HoldProgress], *, ttl_s: float) -> set[UUID]:
        """The ids that are still held, now renewed."""
        rows = await self._rows(_CHECKPOINT, ([hold.request_id for hold in holds], [hold.output_tokens for hold in holds], ttl_s))
        return {row[0] for row in rows}

    async def usage(self, request_id: UUID) -> RecordedUsage | None:
        rows = await self._rows(_USAGE, (request_id,))
        return RecordedUsage(**dict(rows[0])) if rows else None

    async def open_book(self, organisation_id: UUID, *, grant_nano: int) -> None:
        await self._rows("SELECT open_book($1, $2)", (organisation_id, grant_nano))

    async def ensure_default_budget(self, organisation_id: UUID, user_id: UUID, *, limit_nano: int | None) -> None:
        await self._rows("SELECT ensure_default_budget($1, $2, $3)", (organisation_id, user_id, limit_nano))

    async def apply_default_budgets(self, limit_nano: int | None, *, ceiling_nano: int | None) -> None:
        """Bring the budgets nobody set to today's settings; a limit of None removes them. Windows only widen, so no hold breaks."""
        await self._rows("SELECT apply_default_budgets($1, $2)", (limit_nano, ceiling_nano))

    async def wallet(self, organisation_id: UUID) -> Wallet | None:
        rows = await self._rows(_WALLET, (organisation_id,))
        return Wallet(*rows[0]) if rows else None

    async def budgets(self, organisation_id: UUID, scope_ids: list[UUID]) -> list[BudgetState]:
        return [BudgetState(*row) for row in await self._rows(_BUDGETS, (organisation_id, scope_ids))]
