"""All SQL of usage: sums from the roll-up, single dispatches from the events."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.usage.models import UTC, Grouping
from billing_service.usage.schemas import UsageEvent, UsageGroup

_COLUMN: dict[Grouping, str] = {"day": "day", "model": "model", "user": "user_id", "key": "key_id"}
# The roll-up knows whole UTC days. Days of another zone are cut from the single events.
_ROLLUP = " FROM usage_rollup"
_EVENTS_BY_LOCAL_DAY = (
    ' FROM (SELECT ("timestamp" AT TIME ZONE :tz)::date AS day, customer_id AS organisation_id, user_id, '
    "key_id, model, 1 AS requests,"
    " tokens_input AS input_tokens, tokens_output AS output_tokens, cost_nano FROM usage_event"
    ' WHERE "timestamp" >= CAST(:first AS date)::timestamp AT TIME ZONE :tz'
    ' AND "timestamp" < (CAST(:last AS date) + 1)::timestamp AT TIME ZONE :tz) AS u'
)
_WHERE = (
    " WHERE organisation_id = :organisation_id AND day BETWEEN :first AND :last AND (CAST(:user_id AS "
    "uuid) IS NULL OR user_id = :user_id)"
)
_SUMS = (
    ", coalesce(sum(requests), 0)::bigint AS requests, coalesce(sum(input_tokens), 0)::bigint AS"
    " input_tokens, coalesce(sum(output_tokens), 0)::bigint AS output_tokens, coalesce(sum(cost_nano),"
    " 0)::bigint AS cost_nano"
)
_EVENTS = (
    'SELECT request_id AS id, "timestamp", customer_id, team_id, user_id, key_id, model, provider, '
    "tokens_input, tokens_output,"
    " input_tokens, cache_read_tokens, cache_write_tokens, audio_in_tokens, output_tokens, "
    "reasoning_tokens, audio_out_tokens,"
    " cost_nano, house_loss_nano, price_version, source, outcome, latency_ms FROM usage_event"
    " WHERE customer_id = :organisation_id"
)
# Written out as needed: a condition that is sometimes always true keeps the planner from the index that
# answers it.
_EVENT_FILTERS = {
    "user_id": "user_id = :user_id",
    "dispatch_id": "request_id = :dispatch_id",
    "after_id": "request_id < :after_id",
}
_NEWEST = " ORDER BY request_id DESC LIMIT :n"


async def sums(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    user_id: UUID | None,
    first: date,
    last: date,
    tz: str,
    group_by: Sequence[Grouping],
    rows_max: int,
) -> list[UsageGroup]:
    """Sums by group, oldest day first; one row over everything when `group_by` is empty. Days are those of
    the time zone `tz`.
    """
    source, names = (_ROLLUP, {}) if tz == UTC else (_EVENTS_BY_LOCAL_DAY, {"tz": tz})
    columns = [_COLUMN[name] for name in group_by]
    shown = [name if name in columns else f"NULL AS {name}" for name in _COLUMN.values()]
    grouping = f" GROUP BY {', '.join(columns)} ORDER BY {', '.join(columns)}" if columns else ""
    rows = await session.execute(
        text(f"SELECT {', '.join(shown)}{_SUMS}{source}{_WHERE}{grouping} LIMIT :n"),
        {
            **names,
            "organisation_id": organisation_id,
            "user_id": user_id,
            "first": first,
            "last": last,
            "n": rows_max,
        },
    )
    return [UsageGroup.model_validate(row, from_attributes=True) for row in rows]


async def events(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    user_id: UUID | None,
    dispatch_id: UUID | None,
    after_id: UUID | None,
    rows_max: int,
) -> list[UsageEvent]:
    """Newest first."""
    filters = {"user_id": user_id, "dispatch_id": dispatch_id, "after_id": after_id}
    given = {name: value for name, value in filters.items() if value is not None}
    query = _EVENTS + "".join(f" AND {_EVENT_FILTERS[name]}" for name in given) + _NEWEST
    rows = await session.execute(text(query), {"organisation_id": organisation_id, "n": rows_max, **given})
    return [UsageEvent.model_validate(row, from_attributes=True) for row in rows]
