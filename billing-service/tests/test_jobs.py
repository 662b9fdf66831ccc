"""The sweeper's patience, the invariants' alarm, retention and the outbox."""

import asyncio
import json
import logging
import math
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from billing_service.jobs.invariants import check_invariants
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import JobRepository
from billing_service.jobs.sweeper import Sweeper
from shared.ids import uuid7
from shared.metrics import Metrics
from shared.outbox import CHANNEL

TTL_S = 0.5


class Clock:
    """Seconds that pass when told to."""

    now_s = 1000.0

    def __call__(self):
        return self.now_s


class FlakyJobs(JobRepository):
    """Loses the database when told to."""

    lost = False

    async def overdue_holds(self, **limits):
        if self.lost:
            raise asyncpg.ConnectionDoesNotExistError("gone")
        return await super().overdue_holds(**limits)


@pytest.fixture
def metrics():
    return JobMetrics(Metrics(service="billing-service"))


@pytest.fixture
async def overdue(pool, repository, policy, tenant):
    """A hold whose time is long over."""
    request = tenant.request()
    await repository.reserve(request, policy)
    await pool.execute(
        "UPDATE hold SET expires_at = now() - interval '1 hour', ttl_s = 0.1 WHERE request_id = $1",
        request.request_id,
    )
    return request.request_id


async def state_of(pool, request_id):
    return await pool.fetchval("SELECT state FROM hold WHERE request_id = $1", request_id)


async def tick(sweeper, clock, seconds):
    """Let `seconds` pass, sweeping as often as the schedule would."""
    total = 0
    while seconds > 0:
        clock.now_s += sweeper.interval_s
        seconds -= sweeper.interval_s
        total += await sweeper.run()
    return total


async def test_the_sweeper_waits_a_full_ttl_after_its_start(pool, metrics, overdue):
    clock = Clock()
    sweeper = Sweeper(JobRepository(pool), ttl_s=TTL_S, renewed_ttl_s=TTL_S, metrics=metrics, clock=clock)
    assert await sweeper.run() == 0
    assert await state_of(pool, overdue) == "held"
    assert await tick(sweeper, clock, TTL_S) >= 1
    assert await state_of(pool, overdue) == "expired"


async def test_the_sweeper_waits_a_full_ttl_after_it_lost_the_database(pool, metrics, overdue):
    clock, jobs = Clock(), FlakyJobs(pool)
    sweeper = Sweeper(jobs, ttl_s=TTL_S, renewed_ttl_s=TTL_S, metrics=metrics, clock=clock)
    jobs.lost = True
    clock.now_s += TTL_S
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await sweeper.run()
    jobs.lost = False
    assert await sweeper.run() == 0
    assert await state_of(pool, overdue) == "held"
    assert await tick(sweeper, clock, TTL_S) >= 1


async def test_the_sweeper_waits_after_its_own_process_stood_still(pool, metrics, overdue):
    clock = Clock()
    sweeper = Sweeper(JobRepository(pool), ttl_s=TTL_S, renewed_ttl_s=TTL_S, metrics=metrics, clock=clock)
    clock.now_s += 100 * TTL_S
    assert await sweeper.run() == 0
    assert await state_of(pool, overdue) == "held"


async def test_no_hold_is_overdue_until_postgres_is_up_for_a_ttl(pool, overdue):
    assert overdue in await JobRepository(pool).overdue_holds(ttl_s=0.01, rows_max=100)
    assert await JobRepository(pool).overdue_holds(ttl_s=10**6, rows_max=100) == []


async def test_a_renewed_hold_is_not_expired(pool, repository, policy, tenant):
    request = tenant.request()
    await repository.reserve(request, policy)
    assert not await JobRepository(pool).expire_hold(request.request_id)
    assert await state_of(pool, request.request_id) == "held"


async def test_a_running_service_ends_abandoned_holds(start_billing, tenant, broken_invariants, until):
    async with start_billing(jobs_enabled=True, hold_ttl_s=0.5) as billing:
        held = (await billing.reserve(tenant)).json()

        async def ended():
            return await state_of(billing.pool, UUID(held["request_id"])) != "held"

        await until(ended)
        shown = await billing.http.get(
            f"/internal/v1/usage/{held['request_id']}", headers=billing.inference()
        )
        assert shown.json()["state"] == "expired"
        assert await broken_invariants(billing.pool) == {}


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        (
            "UPDATE account SET balance_nano = balance_nano + 1 WHERE kind = 'wallet' AND organisation_id = "
            "$1",
            "I2 balance = sum of entries",
        ),
        (
            "UPDATE usage_rollup SET cost_nano = cost_nano + 1 WHERE organisation_id = $1",
            "I5 roll-ups = events",
        ),
        ("UPDATE usage_event SET cost_nano = cost_nano + 1 WHERE customer_id = $1", "I5 roll-ups = events"),
        (
            "UPDATE usage_rollup SET cost_nano = cost_nano + 1 WHERE organisation_id = $1",
            "I5 roll-ups = ledger",
        ),
        (
            "DELETE FROM hold WHERE state = 'held' AND organisation_id = $1",
            "I4 held money belongs to open holds",
        ),
    ],
)
async def test_damage_raises_an_alarm(pool, repository, policy, tenant, metrics, caplog, damage, invariant):
    settled, left_open = tenant.request(), tenant.request()
    for request in (settled, left_open):
        await repository.reserve(request, policy)
    await pool.execute(
        "SELECT settle($1, ARRAY[5, 0, 0, 0, 5, 0, 0], 'provider', 'complete', now(), 1)", settled.request_id
    )

    @asynccontextmanager
    async def undone():
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            yield connection
            await transaction.rollback()

    async with undone() as connection:
        await connection.execute(damage, tenant.organisation_id)
        with caplog.at_level(logging.ERROR):
            broken = await check_invariants(JobRepository(connection), metrics)
    assert invariant in broken
    assert f"invariant broken: {invariant}" in caplog.text
    assert metrics.violations.labels(invariant)._value.get() >= 1


async def test_what_cannot_be_checked_alarms_and_the_others_are_checked(pool, metrics, caplog):
    class Slow(JobRepository):
        async def violations(self, invariant):
            if invariant.startswith("I2 balance"):
                raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
            return await super().violations(invariant)

    with caplog.at_level(logging.ERROR):
        assert await check_invariants(Slow(pool), metrics) == {}
    assert "invariant not checked: I2 balance = sum of entries" in caplog.text
    assert metrics.unchecked.labels("I2 balance = sum of entries")._value.get() == 1
    assert math.isnan(metrics.violations.labels("I2 balance = sum of entries")._value.get())
    assert metrics.violations.labels("I5 roll-ups = ledger")._value.get() == 0


async def test_one_process_checks_in_each_interval(pool):
    jobs = [JobRepository(pool) for _ in range(3)]
    turns = await asyncio.gather(*(job.begin_checks(interval_s=3600) for job in jobs))
    assert sum(turns) <= 1
    assert not await jobs[0].begin_checks(interval_s=3600)
    assert await jobs[0].begin_checks(interval_s=0)


async def test_balances_are_checked_from_where_the_last_check_ended(pool, repository, policy, tenant):
    """Entries before the mark are summed up once; damage before and after it is still found."""
    for _ in range(3):
        request = tenant.request()
        await repository.reserve(request, policy)
        await pool.execute(
            "SELECT settle($1, ARRAY[5, 0, 0, 0, 5, 0, 0], 'provider', 'complete', now(), 1)",
            request.request_id,
        )
    mark = await pool.fetchval("SELECT clock_timestamp()")
    wrong = "SELECT b FROM check_balances($1) AS b"
    assert await pool.fetch(wrong, mark) == []
    assert await pool.fetchval("SELECT until FROM invariant_check WHERE name = 'balances'") == mark
    kept = await pool.fetchval(
        "SELECT sum(amount_nano) FROM checked_balance k JOIN account a ON a.id = k.account WHERE "
        "organisation_id = $1",
        tenant.organisation_id,
    )
    assert kept == 0
    request = tenant.request()
    await repository.reserve(request, policy)
    later = await pool.fetchval("SELECT clock_timestamp()")
    await pool.execute(
        "UPDATE account SET balance_nano = balance_nano + 1 WHERE kind = 'wallet' AND organisation_id = $1",
        tenant.organisation_id,
    )
    assert len(await pool.fetch(wrong, later)) == 1
    assert await pool.fetchval("SELECT until FROM invariant_check WHERE name = 'balances'") == mark
    await pool.execute(
        "UPDATE account SET balance_nano = balance_nano - 1 WHERE kind = 'wallet' AND organisation_id = $1",
        tenant.organisation_id,
    )
    assert await pool.fetch(wrong, later) == []


async def test_a_constraint_that_is_gone_raises_an_alarm(database, metrics):
    owner = await asyncpg.connect(database.owner_url, server_settings={"search_path": "billing,public"})
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("ALTER TABLE hold DROP CONSTRAINT hold_charge_within_hold")
    broken = await check_invariants(JobRepository(owner), metrics)
    await transaction.rollback()
    await owner.close()
    assert broken["I6 and I12 the database enforces them"] == ["hold_charge_within_hold"]


async def test_the_ledger_has_its_indexes_in_every_partition(pool):
    rows = await pool.fetch(
        "SELECT c.relname, i.indisvalid, (SELECT count(*) FROM pg_inherits h WHERE h.inhparent = c.oid) AS"
        " parts FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relname IN ('transfer_by_transaction', 'transfer_by_time', 'usage_event_by_time')"
    )
    partitions = await pool.fetchval(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'transfer'::regclass"
    )
    assert sorted(row["relname"] for row in rows) == [
        "transfer_by_time",
        "transfer_by_transaction",
        "usage_event_by_time",
    ]
    assert all(row["indisvalid"] and row["parts"] == partitions for row in rows)


async def test_sound_books_raise_no_alarm(pool, metrics):
    assert await check_invariants(JobRepository(pool), metrics) == {}


async def test_usage_leaves_by_the_outbox_exactly_when_it_is_charged(
    database, pool, repository, policy, tenant
):
    request = tenant.request()
    await repository.reserve(request, policy)
    for _ in range(2):
        await pool.execute(
            "SELECT settle($1, ARRAY[5, 0, 0, 0, 5, 0, 0], 'provider', 'complete', now(), 1)",
            request.request_id,
        )
    heard = []
    listener = await asyncpg.connect(database.app_url)
    await listener.add_listener(CHANNEL, lambda *message: heard.append(json.loads(message[3])))
    for _ in range(2):
        await JobRepository(pool).publish_outbox()
    await listener.execute("SELECT 1")
    mine = [event for event in heard if event["payload"]["request_id"] == str(request.request_id)]
    assert len(mine) == 1
    assert mine[0]["topic"] == "usage.recorded"
    assert mine[0]["payload"]["cost_nano"] == 250
    assert mine[0]["payload"]["cost_usd"] == 0.00000025
    await listener.close()


async def test_events_leave_in_their_order_and_a_large_one_by_its_id(database, pool):
    ids = [uuid7() for _ in range(4)]
    sizes = dict(zip(reversed(ids), (10, 9_000, 10, 10), strict=True))
    for event_id, size in sizes.items():
        await pool.execute(
            "INSERT INTO outbox (id, topic, key, payload)"
            " VALUES ($1, 'test.made', 'k', jsonb_build_object('text', $2::text))",
            event_id,
            "ä" * (size // 2),
        )
    heard = []
    listener = await asyncpg.connect(database.app_url)
    await listener.add_listener(CHANNEL, lambda *message: heard.append(json.loads(message[3])))
    await JobRepository(pool).publish_outbox()
    await listener.execute("SELECT 1")
    mine = [event for event in heard if event["topic"] == "test.made"]
    assert [event["id"] for event in mine] == [str(event_id) for event_id in ids]
    assert ["payload" in event for event in mine] == [sizes[event_id] < 7_500 for event_id in ids]
    await listener.close()
