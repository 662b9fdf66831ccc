"""All SQL about the steps of runs: attempts, decisions, and what each dispatch cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.contracts.chat import MessageUsage
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.records.models import RunRow, StepRow


@dataclass(frozen=True, slots=True)
class StepKey:
    """One attempt."""

    run_id: UUID
    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class CostCheck:
    """An attempt whose cost is not known yet."""

    key: StepKey
    dispatch_id: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A call that waits for an approval although its run was decided about."""

    run_id: UUID
    call_id: str


async def all_attempts(session: AsyncSession, run_id: UUID) -> Sequence[StepRow]:
    """In order."""
    query = select(StepRow).where(StepRow.run_id == run_id).order_by(StepRow.step, StepRow.attempt)
    return (await session.execute(query)).scalars().all()


async def latest_attempts(session: AsyncSession, run_id: UUID) -> Sequence[StepRow]:
    """The last attempt of each step, in order."""
    return list({row.step: row for row in await all_attempts(session, run_id)}.values())


async def get_call(
    session: AsyncSession, run_id: UUID, call_id: str, *, lock: bool = False
) -> StepRow | None:
    """The last attempt of a tool call."""
    query = (
        select(StepRow)
        .where(StepRow.run_id == run_id, StepRow.call_id == call_id)
        .order_by(StepRow.attempt.desc())
        .limit(1)
    )
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def awaiting(session: AsyncSession, run_ids: Sequence[UUID]) -> list[Undelivered]:
    """The calls of these runs that wait for a person."""
    query = select(StepRow.run_id, StepRow.call_id).where(
        StepRow.run_id.in_(run_ids), StepRow.status == "awaiting_approval"
    )
    return [
        Undelivered(row.run_id, row.call_id)
        for row in await session.execute(query)
        if row.call_id is not None
    ]


async def add(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Harmless when the same attempt is there already."""
    await session.execute(insert(StepRow).values(**values).on_conflict_do_nothing())


async def change(session: AsyncSession, key: StepKey, values: Mapping[str, Any]) -> None:
    statement = update(StepRow).where(
        StepRow.run_id == key.run_id, StepRow.step == key.step, StepRow.attempt == key.attempt
    )
    await session.execute(statement.values(**values).execution_options(synchronize_session=False))


async def mark_interrupted(session: AsyncSession, key: StepKey) -> None:
    """The attempt was under way when its process ended or its connection broke; what it cost is asked for."""
    pending = StepRow.dispatch_id.is_not(None) & StepRow.cost_nano.is_(None)
    values = {
        "status": "cut",
        "cost_pending": pending,
        "cost_check_at": func.now(),
        "duration_ms": _elapsed_ms(),
    }
    await change(session, key, values)


def _elapsed_ms() -> Any:
    return func.floor(func.extract("epoch", func.now() - StepRow.started_at) * 1000)


async def fail_open(session: AsyncSession, run_id: UUID) -> None:
    """No attempt of an ended run stays under way."""
    statement = update(StepRow).where(
        StepRow.run_id == run_id, StepRow.status.in_(("running", "awaiting_approval"))
    )
    pending = StepRow.dispatch_id.is_not(None) & StepRow.cost_nano.is_(None)
    values = {
        "status": "failed",
        "cost_pending": pending,
        "cost_check_at": func.now(),
        "duration_ms": _elapsed_ms(),
    }
    await session.execute(statement.values(**values).execution_options(synchronize_session=False))


_USAGE = """
SELECT run_id, sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS
completion_tokens, sum(cost_nano)::bigint AS cost_nano, bool_or(cost_pending) AS pending,
    (array_agg(remaining_nano ORDER BY step DESC, attempt DESC) FILTER (WHERE remaining_nano IS NOT NULL))[1]
    AS remaining_nano
FROM run_step WHERE run_id = ANY(CAST(:run_ids AS uuid[])) AND kind = 'model' GROUP BY run_id
"""


async def usage(session: AsyncSession, run_ids: Sequence[UUID]) -> dict[UUID, MessageUsage]:
    """The sums over all attempts; a cost that is not known in full yet is None."""
    rows = await session.execute(text(_USAGE), {"run_ids": list(run_ids)})
    sums = {
        row.run_id: MessageUsage(
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            cost_nano=None if row.pending else row.cost_nano,
            remaining_nano=row.remaining_nano,
        )
        for row in rows
    }
    return {run_id: usage for run_id, usage in sums.items() if usage != MessageUsage()}


_CLAIM_COSTS = """
UPDATE run_step SET cost_checks = cost_checks + 1,
    cost_check_at = now() + make_interval(secs => least(60, 0.5 * power(2, least(cost_checks, 7))))
WHERE (run_id, step, attempt) IN (
    SELECT run_id, step, attempt FROM run_step WHERE cost_pending AND cost_check_at <= now()
    ORDER BY cost_check_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
RETURNING run_id, step, attempt, dispatch_id
"""


async def claim_cost_checks(session: AsyncSession, *, limit: int) -> Sequence[CostCheck]:
    """Attempts whose cost is to be asked for now; each comes again later, with growing pauses, until it is
    settled.
    """
    rows = await session.execute(text(_CLAIM_COSTS), {"limit": limit})
    return [CostCheck(StepKey(row.run_id, row.step, row.attempt), row.dispatch_id) for row in rows]


async def pending_costs(session: AsyncSession, run_id: UUID) -> Sequence[CostCheck]:
    rows = (
        await session.execute(select(StepRow).where(StepRow.run_id == run_id, StepRow.cost_pending))
    ).scalars()
    return [
        CostCheck(StepKey(row.run_id, row.step, row.attempt), row.dispatch_id)
        for row in rows
        if row.dispatch_id
    ]


async def settle_cost(session: AsyncSession, key: StepKey, usage: MessageUsage) -> None:
    """Tokens that the provider itself told stay."""
    values = {
        "cost_pending": False,
        "cost_nano": usage.cost_nano,
        "prompt_tokens": func.coalesce(StepRow.prompt_tokens, usage.prompt_tokens),
        "completion_tokens": func.coalesce(StepRow.completion_tokens, usage.completion_tokens),
    }
    await change(session, key, values)


async def drop_cost_checks(session: AsyncSession, *, wait_max_s: float) -> None:
    too_old = StepRow.started_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait_max_s)
    statement = update(StepRow).where(StepRow.cost_pending, too_old).values(cost_pending=False)
    await session.execute(statement.execution_options(synchronize_session=False))


async def undelivered_decisions(session: AsyncSession, *, limit: int) -> Sequence[Undelivered]:
    """Calls whose decision (or the end of whose run) was asked for in a process that died before it told the
    workflow.
    """
    query = (
        select(StepRow.run_id, StepRow.call_id)
        .join(RunRow, RunRow.id == StepRow.run_id)
        .where(StepRow.status == "awaiting_approval", StepRow.decision.is_not(None) | RunRow.cancel_requested)
        .limit(limit)
    )
    return [Undelivered(row.run_id, row.call_id) for row in await session.execute(query)]
