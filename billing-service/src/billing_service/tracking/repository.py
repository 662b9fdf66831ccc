"""All SQL of usage tracking."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.tracking.models import ExternalUsage
from billing_service.tracking.schemas import ModelFigures, SyncStatus

_RECORD = text(
    "INSERT INTO external_usage (organisation_id, transaction_id, source, user_id, model, input_tokens,"
    " output_tokens, requests, cost_nano, charged, occurred_at, recorded_by) VALUES (:organisation_id,"
    " :transaction_id, :source, :user_id, :model, :input_tokens, :output_tokens, :requests, :cost_nano,"
    " :charged, :occurred_at, :recorded_by) ON CONFLICT DO NOTHING "
    "RETURNING true"
)
_RECORDED = text(
    "SELECT transaction_id, source, user_id, model, input_tokens, output_tokens, requests, cost_nano,"
    " charged, occurred_at"
    " FROM external_usage WHERE organisation_id = :organisation_id AND transaction_id = :transaction_id"
)
_FIGURES = text(
    "SELECT model, sum(requests)::bigint AS requests, sum(input_tokens + output_tokens)::bigint AS tokens,"
    " sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,"
    " sum(cost_nano)::bigint AS cost_nano FROM ("
    " SELECT model, requests, input_tokens, output_tokens, cost_nano FROM usage_rollup"
    " WHERE organisation_id = :organisation_id AND day >= :first"
    " UNION ALL SELECT model, requests, input_tokens, output_tokens, cost_nano FROM external_usage"
    " WHERE organisation_id = :organisation_id AND occurred_at >= CAST(:first AS date)::timestamp AT TIME"
    " ZONE 'UTC') AS u"
    " GROUP BY model"
)
_OPEN_CALLS = text(
    "SELECT provider_request_id FROM provider_call WHERE billed_nano IS NULL AND next_attempt_at <= now()"
    " AND occurred_at >= now() - make_interval(days => :days) ORDER BY next_attempt_at LIMIT :n"
)
_BILLED = text(
    "UPDATE provider_call SET billed_nano = :cost_nano, billed_model = :model, input_tokens = :input_tokens,"
    " output_tokens = :output_tokens, billed_at = :billed_at WHERE provider_request_id = :id AND "
    "billed_nano IS NULL RETURNING true"
)
# A generation appears some seconds after its answer; what never does is given up after a day of doubling
# pauses.
_NOT_YET = text(
    "UPDATE provider_call SET attempts = attempts + 1,"
    " next_attempt_at = now() + least(interval '6 hours', interval '10 seconds' * (2 ^ least(attempts, 12)))"
    " WHERE provider_request_id = :id"
)
# What the provider billed for calls that were settled here, by the provider's name of the model and its own
# day.
_SETTLED_HERE = text(
    "SELECT coalesce(sum(coalesce(c.billed_nano, c.reported_nano, e.cost_nano, 0)), 0)::bigint,"
    " coalesce(sum(coalesce(c.input_tokens, e.tokens_input, 0)), 0)::bigint,"
    " coalesce(sum(coalesce(c.output_tokens, e.tokens_output, 0)), 0)::bigint, count(*)::bigint"
    " FROM provider_call c LEFT JOIN usage_event e ON e.request_id = c.request_id"
    " WHERE coalesce(c.billed_model, c.model) = ANY (:models)"
    " AND coalesce(c.billed_at, c.occurred_at) >= CAST(:day AS date)::timestamp AT TIME ZONE 'UTC'"
    " AND coalesce(c.billed_at, c.occurred_at) < (CAST(:day AS date) + 1)::timestamp AT TIME ZONE 'UTC'"
)
_SEEN_ELSEWHERE = text(
    "INSERT INTO external_usage AS u (organisation_id, transaction_id, source, model, input_tokens,"
    " output_tokens, requests, cost_nano, charged, occurred_at) VALUES (:organisation_id, :transaction_id,"
    " 'openrouter', :model, :input_tokens, :output_tokens, :requests, :cost_nano, false, :occurred_at) ON"
    " CONFLICT (organisation_id, transaction_id) DO UPDATE SET input_tokens = excluded.input_tokens,"
    " output_tokens = excluded.output_tokens, requests = excluded.requests, cost_nano = excluded.cost_nano,"
    " recorded_at = now()"
)
_NOT_ELSEWHERE = text(
    "DELETE FROM external_usage WHERE organisation_id = :organisation_id AND transaction_id = :transaction_id"
)
_SYNC = text(
    "SELECT CAST(:enabled AS boolean) AS enabled, state, days_back, started_at, finished_at,"
    " CASE WHEN :enabled THEN next_run_at END AS next_run_at, generations, days, error FROM openrouter_sync"
)


async def record(
    session: AsyncSession, organisation_id: UUID, usage: ExternalUsage, *, recorded_by: UUID | None
) -> bool:
    """Whether it is new; a transaction id that is known changes nothing."""
    names = {**asdict(usage), "organisation_id": organisation_id, "recorded_by": recorded_by}
    return bool((await session.execute(_RECORD, names)).scalar_one_or_none())


async def recorded(session: AsyncSession, organisation_id: UUID, transaction_id: str) -> ExternalUsage | None:
    found = await session.execute(
        _RECORDED, {"organisation_id": organisation_id, "transaction_id": transaction_id}
    )
    row = found.mappings().one_or_none()
    return None if row is None else ExternalUsage(**row)


async def open_accounts(session: AsyncSession, organisation_id: UUID, *, grant_nano: int) -> None:
    await session.execute(text("SELECT open_book(:id, :grant)"), {"id": organisation_id, "grant": grant_nano})


async def charge(
    session: AsyncSession, organisation_id: UUID, transaction_id: str, *, amount_nano: int
) -> str:
    """charged, known, insufficient or no_wallet."""
    names = {"organisation_id": organisation_id, "transaction_id": transaction_id, "amount_nano": amount_nano}
    return (
        await session.execute(
            text("SELECT charge_external(:organisation_id, :transaction_id, :amount_nano)"), names
        )
    ).scalar_one()


async def figures(session: AsyncSession, organisation_id: UUID, *, first: date) -> list[ModelFigures]:
    """Sums by model from the UTC day `first` on."""
    rows = await session.execute(_FIGURES, {"organisation_id": organisation_id, "first": first})
    return [ModelFigures.model_validate(row, from_attributes=True) for row in rows]


async def open_calls(session: AsyncSession, *, days: int, rows_max: int) -> list[str]:
    """Provider's ids of calls whose final cost is not known, those that waited longest first."""
    return list((await session.execute(_OPEN_CALLS, {"days": days, "n": rows_max})).scalars())


async def set_billed(session: AsyncSession, provider_request_id: str, values: dict[str, Any]) -> bool:
    """Whether the final cost is new."""
    return bool((await session.execute(_BILLED, {"id": provider_request_id, **values})).scalar_one_or_none())


async def not_yet(session: AsyncSession, provider_request_id: str) -> None:
    await session.execute(_NOT_YET, {"id": provider_request_id})


async def settled_here(
    session: AsyncSession, *, models: Sequence[str], day: date
) -> tuple[int, int, int, int]:
    """Nano-USD, input tokens, output tokens and number of the calls of one day that were settled here."""
    row = (await session.execute(_SETTLED_HERE, {"models": list(models), "day": day})).one()
    return row[0], row[1], row[2], row[3]


async def set_elsewhere(session: AsyncSession, organisation_id: UUID, values: dict[str, Any]) -> None:
    """Usage of one day and model that nobody settled here; the newest figures replace earlier ones."""
    await session.execute(_SEEN_ELSEWHERE, {"organisation_id": organisation_id, **values})


async def drop_elsewhere(session: AsyncSession, organisation_id: UUID, transaction_id: str) -> None:
    await session.execute(
        _NOT_ELSEWHERE, {"organisation_id": organisation_id, "transaction_id": transaction_id}
    )


async def sync_status(session: AsyncSession, *, enabled: bool) -> SyncStatus:
    """What the last synchronisation did; without one that is enabled no next run is due."""
    return SyncStatus.model_validate(
        (await session.execute(_SYNC, {"enabled": enabled})).one(), from_attributes=True
    )


_REQUEST = text(
    "UPDATE openrouter_sync SET days_back = :days, next_day = NULL, error = NULL, state = 'requested',"
    " next_run_at = CASE WHEN state IN ('running', 'requested') THEN next_run_at ELSE now() END"
)
# next_run_at is also the lease of a run: when its process dies, the next look continues at next_day.
_BEGIN = text(
    "UPDATE openrouter_sync SET state = 'running', started_at = CASE WHEN next_day IS NULL THEN now() ELSE"
    " started_at END, error = NULL, next_run_at = now() + make_interval(secs => :lease_s) WHERE next_run_at"
    " <= now() "
    "RETURNING days_back, next_day"
)
_ADVANCE = text(
    "UPDATE openrouter_sync SET generations = generations + :generations, next_run_at = now() +"
    " make_interval(secs => :lease_s), days = days + CASE WHEN CAST(:day AS date) IS NULL THEN 0 ELSE 1 END,"
    " next_day = CASE WHEN state = 'running' THEN coalesce(CAST(:day AS date), next_day) ELSE NULL END"
)
_PAUSE = text(
    "UPDATE openrouter_sync SET state = CASE WHEN state = 'running' THEN 'waiting' ELSE state END, "
    "next_run_at = :until, error = :error"
)
_FINISH = text(
    "UPDATE openrouter_sync SET finished_at = now(), next_day = NULL, error = NULL,"
    " days_back = CASE WHEN state = 'requested' THEN days_back ELSE :days END,"
    " next_run_at = CASE WHEN state = 'requested' THEN now() ELSE :next END,"
    " state = CASE WHEN state = 'requested' THEN 'requested' ELSE 'idle' END"
)


async def request_sync(session: AsyncSession, *, days_back: int) -> None:
    """Have the next look begin a run over these days; when one is under way, another follows it."""
    await session.execute(_REQUEST, {"days": days_back})


async def begin_sync(session: AsyncSession, *, lease_s: float) -> tuple[int, date | None] | None:
    """Begin, or go on with, a run that is due: its days back and the day to go on with. None:
    nothing is due.
    """
    row = (await session.execute(_BEGIN, {"lease_s": lease_s})).one_or_none()
    return None if row is None else (row[0], row[1])


async def advance(
    session: AsyncSession, *, lease_s: float, generations: int = 0, day: date | None = None
) -> None:
    """Count what was done and renew the lease; `day` is where the days go on."""
    await session.execute(_ADVANCE, {"generations": generations, "day": day, "lease_s": lease_s})


async def pause_sync(session: AsyncSession, *, until: datetime, error: str) -> None:
    """Go on at `until` where the run stopped."""
    await session.execute(_PAUSE, {"until": until, "error": error})


async def finish_sync(session: AsyncSession, *, next_run_at: datetime, days_back: int) -> None:
    """The run is complete; the next one takes the usual days again, or what was requested meanwhile."""
    await session.execute(_FINISH, {"next": next_run_at, "days": days_back})
