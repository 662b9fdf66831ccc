"""All SQL of usage: sums from the roll-up, single dispatches from the events."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.usage.models import EventRow, Grouping, UsageSum

_COLUMN: dict[Grouping, str] = {"day": "day", "model": "model", "user": "user_id", "key": "key_id"}
_WHERE = (
    " FROM usage_rollup WHERE organisation_id = :organisation_id AND day BETWEEN :first AND :last"
    " AND (CAST(:user_id AS uuid) IS NULL OR user_id = :user_id)"
)
_SUMS = (
    ", coalesce(sum(requests), 0)::bigint AS requests, coalesce(sum(input_tokens), 0)::bigint AS input_tokens,"
    " coalesce(sum(output_tokens), 0)::bigint AS output_tokens, coalesce(sum(cost_nano), 0)::bigint AS cost_nano"
)
_EVENTS = text(
    'SELECT request_id AS id, "timestamp", customer_id, team_id, user_id, key_id, model, provider, tokens_input, tokens_output,'
    " input_tokens, cache_read_tokens, cache_write_tokens, audio_in_tokens, output_tokens, reasoning_tokens, audio_out_tokens,"
    " cost_nano, house_loss_nano, price_version, source, outcome, latency_ms FROM usage_event"
    " WHERE customer_id = :organisation_id AND (CAST(:user_id AS uuid) IS NULL OR user_id = :user_id)"
    " AND (CAST(:request_id AS uuid) IS NULL OR request_id = :request_id)"
    " AND (CAST(:after_id AS uuid) IS NULL OR request_id < :after_id) ORDER BY request_id DESC LIMIT :n"
)


async def sums(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    user_id: UUID | None,
    first: date,
    last: date,
    group_by: Sequence[Grouping],
    rows_max: int,
) -> list[UsageSum]:
    """Sums by group, oldest day first; one row over everything when `group_by` is empty."""
    columns = [_COLUMN[name] for name in group_by]
    shown = [name if name in columns else f"NULL AS {name}" for name in _COLUMN.values()]
    grouping = f" GROUP BY {', '.join(columns)} ORDER BY {', '.join(columns)}" if columns else ""
    rows = await session.execute(
        text(f"SELECT {', '.join(shown)}{_SUMS}{_WHERE}{grouping} LIMIT :n"),
        {"organisation_id": organisation_id, "user_id": user_id, "first": first, "last": last, "n": rows_max},
    )
    return [UsageSum(*row) for row in rows]


async def events(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    user_id: UUID | None,
    request_id: UUID | None,
    after_id: UUID | None,
    rows_max: int,
) -> list[EventRow]:
    """Newest first."""
    names = {"organisation_id": organisation_id, "user_id": user_id, "request_id": request_id, "after_id": after_id, "n": rows_max}
    return [EventRow(*row) for row in await session.execute(_EVENTS, names)]
