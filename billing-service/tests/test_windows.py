"""Budget windows: every instant lies in exactly one, and a charge lands in the window that admitted it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from billing_service.entitlements.models import bucket_list
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.billing import UsageBuckets

WINDOWS = ["hour", "day", "week", "month"]
# Around the clock changes of Europe and America, leap days, year ends: UTC windows must not notice.
_FIRST, _LAST = datetime(2024, 1, 1), datetime(2032, 12, 31)  # noqa: DTZ001
instants = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC)) | st.sampled_from(
    [
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
        datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]
)
RESERVE = (
    "SELECT * FROM reserve($1, $2, $3, $4, NULL, 'qwen2.5-coder-0.5b-instruct', 'builtin', 'chat', 100, 25,"
    " 100, 1, 16, 30, 5000000000, NULL, $5)"
)


@given(some=st.lists(instants, min_size=10, max_size=10))
def test_each_instant_lies_in_exactly_one_window(database, some):
    async def check():
        connection = await asyncpg.connect(database.app_url)
        await connection.execute("SET timezone = 'Pacific/Auckland'")  # the session's zone must not matter
        rows = await connection.fetch(
            "SELECT at, s AS begins, e AS ends, window_start(w, e) AS next_begins FROM unnest($1::text[]) AS"
            " w, unnest($2::timestamptz[]) AS at, LATERAL (SELECT window_start(w, at) AS s) AS b, LATERAL"
            " (SELECT window_end(w, s) AS e) AS c",
            WINDOWS,
            some,
        )
        await connection.close()
        return rows

    for row in asyncio.run(check()):
        assert row["begins"] <= row["at"] < row["ends"]
        assert row["next_begins"] == row["ends"]


async def reserve_at(pool, tenant, at):
    request_id = uuid4()
    return request_id, await pool.fetchrow(
        RESERVE, request_id, tenant.organisation_id, tenant.team_id, tenant.user_id, at
    )


@pytest.mark.parametrize("window", WINDOWS)
async def test_a_new_window_opens_without_a_job(pool, tenant, window):
    edge = await pool.fetchval("SELECT window_end($1, window_start($1, now()))", window)
    await pool.execute("SELECT open_book($1, 5000000000)", tenant.organisation_id)
    await pool.execute(
        "SELECT set_budget($1, 'user', $2, $3, 5000, false)", tenant.organisation_id, tenant.user_id, window
    )  # exactly one request
    _, first = await reserve_at(pool, tenant, edge - timedelta(microseconds=1))
    _, second = await reserve_at(pool, tenant, edge - timedelta(microseconds=1))
    _, third = await reserve_at(pool, tenant, edge)
    assert (first["outcome"], second["outcome"], third["outcome"]) == ("held", "budget_exceeded", "held")
    assert second["resets_at"] == edge


async def test_a_charge_lands_in_the_window_that_admitted_it(pool, repository, tenant, broken_invariants):
    edge = await pool.fetchval("SELECT window_end('day', window_start('day', now()))")
    await pool.execute("SELECT open_book($1, 5000000000)", tenant.organisation_id)
    await pool.execute(
        "SELECT set_budget($1, 'user', $2, 'day', 100000, false)", tenant.organisation_id, tenant.user_id
    )
    old, _ = await reserve_at(pool, tenant, edge - timedelta(seconds=1))
    await reserve_at(pool, tenant, edge)
    usage = bucket_list(UsageBuckets(input_tokens=10, output_tokens=10))
    await repository.settle(
        old, usage, source="provider", outcome="complete", occurred_at=edge + timedelta(hours=1), latency_ms=0
    )
    rows = await pool.fetch(
        "SELECT window_start, spent_nano, held_nano FROM budget_window w JOIN budget b ON b.id = w.budget_id"
        " WHERE b.organisation_id = $1 ORDER BY window_start",
        tenant.organisation_id,
    )
    assert [(row["spent_nano"], row["held_nano"]) for row in rows] == [(500, 0), (0, 5_000)]
    assert rows[1]["window_start"] == edge
    assert await broken_invariants(pool) == {}
