"""After two years only what docs/retention.md keeps is left, and the money is untouched."""

from uuid import uuid4

import asyncpg
import pytest
from billing_service.retention.purges import retention
from billing_service.settings import BillingSettings
from shared.db import Database
from shared.metrics import Metrics

AGED = ("hold", "budget_window", "provider_call", "audit", "outbox", "idempotency_key")
MONEY = ("transfer", "usage_event", "usage_key", "usage_rollup", "account", "book", "budget", "price")

# The rows a service makes, moved two years back by the owner of the tables.
_AGE = """
UPDATE hold SET ended_at = now() - interval '800 days' WHERE state <> 'held';
UPDATE budget_window SET window_start = window_start - interval '800 days' WHERE held_nano = 0;
INSERT INTO provider_call (provider_request_id, request_id, model, occurred_at)
    VALUES ('gen-old', uuidv7(), 'm', now() - interval '63 days');
INSERT INTO audit (id, at, action, object_id) VALUES (uuidv7(interval '-800 days'), now() - interval
'800 days', 'price.set', 'old');
INSERT INTO idempotency_key (principal, method, route, key, body_hash, created_at)
    VALUES ('p', 'POST', '/x', 'old', '', now() - interval '800 days');
UPDATE outbox SET id = uuidv7(interval '-800 days'), published_at = now() - interval '800 days'
    WHERE id = (SELECT id FROM outbox ORDER BY id LIMIT 1);
"""
_FRESH = """
INSERT INTO provider_call (provider_request_id, request_id, model, occurred_at)
    VALUES ('gen-fresh', uuidv7(), 'm', now() - interval '61 days');
INSERT INTO audit (id, at, action, object_id) VALUES (uuidv7(interval '-700 days'), now() - interval
'700 days', 'price.set', 'fresh');
INSERT INTO idempotency_key (principal, method, route, key, body_hash) VALUES ('p', 'POST', '/x', 'fresh',
'');
"""


@pytest.fixture
async def owner(database):
    connection = await asyncpg.connect(database.owner_url, server_settings={"search_path": "billing,public"})
    yield connection
    await connection.close()


@pytest.fixture
async def purge(database):
    orm = Database(database.app_url, schema="billing")
    settings = BillingSettings.model_construct(
        **{name: field.default for name, field in BillingSettings.model_fields.items()}
    )
    yield retention(orm, settings, Metrics(service="billing-service")).run
    await orm.dispose()


async def spend(pool, repository, policy, tenant):
    """One dispatch, reserved and settled."""
    request = tenant.request()
    await repository.reserve(request, policy)
    await pool.execute(
        "SELECT settle($1, ARRAY[5, 0, 0, 0, 5, 0, 0], 'provider', 'complete', now(), 1)", request.request_id
    )
    return request.request_id


TOTALS = "SELECT count(*) FROM budget_window w JOIN budget b ON b.id = w.budget_id WHERE b.window = 'total'"


async def rows(connection, table):
    return {row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} t")}


async def test_two_years_later_every_table_that_ends_is_bounded_and_the_money_stays(
    pool, repository, policy, tenant, owner, purge, broken_invariants
):
    await pool.execute(
        "SELECT set_budget($1, 'user', $2, 'total', 10000000000, false)",
        tenant.organisation_id,
        tenant.user_id,
    )
    await spend(pool, repository, policy, tenant)
    await owner.execute(_AGE)
    old_total = await owner.fetchval(TOTALS)
    await owner.execute(_FRESH)
    fresh = await spend(pool, repository, policy, tenant)
    left_open = tenant.request()
    await repository.reserve(left_open, policy)
    money = {table: await rows(owner, table) for table in MONEY}
    await owner.execute("UPDATE outbox SET published_at = now() WHERE published_at IS NULL")

    removed = await purge()

    assert set(AGED) <= set(removed), removed
    assert {row[0] for row in await owner.fetch("SELECT request_id FROM hold")} == {
        fresh,
        left_open.request_id,
    }
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM budget_window w JOIN budget b ON b.id = w.budget_id"
            " WHERE w.window_start < now() - interval '401 days' AND b.window <> 'total'"
        )
        == 0
    )
    assert old_total
    assert await owner.fetchval(TOTALS) >= old_total
    assert [row[0] for row in await owner.fetch("SELECT provider_request_id FROM provider_call")] == [
        "gen-fresh"
    ]
    assert "old" not in {row[0] for row in await owner.fetch("SELECT object_id FROM audit")}
    assert "fresh" in {row[0] for row in await owner.fetch("SELECT object_id FROM audit")}
    assert [row[0] for row in await owner.fetch("SELECT key FROM idempotency_key")] == ["fresh"]
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1
    assert {table: await rows(owner, table) for table in MONEY} == money
    assert await broken_invariants(pool) == {}
    assert await purge() == {}


async def test_a_past_window_that_still_holds_money_stays(pool, repository, policy, tenant, owner, purge):
    await repository.reserve(tenant.request(), policy)
    await owner.execute(
        "UPDATE budget_window SET window_start = window_start - interval '900 days' WHERE held_nano > 0 AND"
        " budget_id IN (SELECT id FROM budget WHERE organisation_id = $1)",
        tenant.organisation_id,
    )
    await purge()
    kept = (
        "SELECT count(*) FROM budget_window w JOIN budget b ON b.id = w.budget_id WHERE b.organisation_id "
        "= $1 AND w.held_nano > 0"
    )
    assert await owner.fetchval(kept, tenant.organisation_id) == 1


async def test_an_undelivered_event_stays_however_old(pool, owner, purge):
    event_id = await owner.fetchval(
        "INSERT INTO outbox (id, topic, key, payload) VALUES (uuidv7(interval '-800 days'), 't', 'k', '{}') "
        "RETURNING id"
    )
    await purge()
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE id = $1", event_id) == 1


async def test_the_service_cannot_delete_a_young_entry_of_the_audit_trail(pool):
    object_id = str(uuid4())
    await pool.execute("INSERT INTO audit (action, object_id) VALUES ('price.set', $1)", object_id)
    with pytest.raises(asyncpg.RaiseError, match="90 days"):
        await pool.execute("SELECT purge_audit(interval '1 day', 1000)")
    await pool.execute("SELECT purge_audit(interval '90 days', 1000)")
    assert await pool.fetchval("SELECT count(*) FROM audit WHERE object_id = $1", object_id) == 1
