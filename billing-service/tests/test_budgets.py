"""Budgets as administrators set them and as they bind."""

import asyncio
from uuid import uuid4

import pytest
from shared.auth.permissions import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/billing"


@pytest.mark.parametrize("scope", ["organisation", "team", "user", "key"])
@pytest.mark.parametrize("window", ["hour", "total"])
async def test_a_budget_holds_at_every_level(billing, new_tenant, scope, window):
    tenant = new_tenant(key_id=uuid4())
    scope_id = getattr(tenant, f"{scope}_id")
    budget = await billing.put_budget(tenant, "0.000001", scope=scope, scope_id=scope_id, window=window)
    assert budget["limit_nano"] == 1_000
    refused = (await billing.reserve(tenant)).json()
    assert (refused["code"], refused["scope"], refused["scope_id"]) == (
        "budget_exceeded",
        scope,
        str(scope_id),
    )
    assert (refused["resets_at"] is None) == (window == "total")


async def test_default_budgets_together_stay_below_their_ceiling(start_billing, new_tenant):
    async with start_billing(default_user_budgets_max="5.00") as billing:
        organisation_id = uuid4()
        people = [new_tenant(organisation_id=organisation_id) for _ in range(4)]
        limits = []
        for person in people:
            shown = (
                await billing.http.get("/api/v1/billing/entitlements", headers=billing.person(person))
            ).json()
            limits.append(
                next(budget["limit_nano"] for budget in shown["budgets"] if budget["scope"] == "user")
            )
        assert limits == [2_000_000_000, 2_000_000_000, 1_000_000_000, 0]
        refused = await billing.reserve(people[3])
        assert (refused.status_code, refused.json()["code"]) == (429, "budget_exceeded")
        # A new setting reaches the budgets that nobody set, the oldest first.
        await billing.pool.execute("SELECT apply_default_budgets(2000000000, 8000000000)")
        assert (await billing.reserve(people[3])).status_code == 200


async def test_default_budgets_of_people_seen_at_once_stay_below_their_ceiling(start_billing, new_tenant):
    async with start_billing(default_user_budgets_max="3.00") as billing:
        first = new_tenant()
        await billing.http.get("/api/v1/billing/entitlements", headers=billing.person(first))
        give = "SELECT ensure_default_budget($1, $2, 2000000000)"
        async with billing.pool.acquire() as one, billing.pool.acquire() as other:
            async with one.transaction():
                await one.execute(give, first.organisation_id, uuid4())
                second = asyncio.create_task(other.execute(give, first.organisation_id, uuid4()))
                await asyncio.wait({second}, timeout=0.5)
            await second
        given = "SELECT sum(limit_nano)::bigint FROM budget WHERE organisation_id = $1 AND is_default"
        assert await billing.pool.fetchval(given, first.organisation_id) == 3_000_000_000


async def test_large_default_budgets_without_a_ceiling_do_not_overflow(start_billing, new_tenant):
    organisation_id = uuid4()
    async with start_billing(default_user_budget="1000000000", default_user_budgets_max="off") as billing:
        for _ in range(12):
            person = billing.person(new_tenant(organisation_id=organisation_id))
            assert (await billing.http.get("/api/v1/billing/entitlements", headers=person)).status_code == 200
        await billing.pool.execute("SELECT apply_default_budgets(1000000000000000000, 2500000000000000000)")
        given = "SELECT sum(limit_nano)::bigint FROM budget WHERE organisation_id = $1 AND is_default"
        assert await billing.pool.fetchval(given, organisation_id) == 2_500_000_000_000_000_000
    async with start_billing():  # the next tests find the usual budgets
        pass


async def test_raising_the_default_budget_lets_a_person_go_on(billing, tenant):
    await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000)
    assert (await billing.reserve(tenant, model="gpt-4o")).status_code == 429
    raised = await billing.put_budget(tenant, "4.00")
    assert (raised["is_default"], raised["held_nano"]) == (False, 2_000_000_000)
    assert (await billing.reserve(tenant, model="gpt-4o")).status_code == 200


async def test_a_lowered_budget_refuses_at_once_and_open_holds_still_settle(
    billing, tenant, broken_invariants
):
    held = (await billing.reserve(tenant)).json()
    await billing.put_budget(tenant, "0")
    assert (await billing.reserve(tenant)).status_code == 429
    assert (await billing.settle(held["request_id"], input_tokens=400, output_tokens=100)).json()[
        "cost_nano"
    ] == held["amount_nano"]
    assert (await billing.reserve(tenant)).status_code == 429
    assert await broken_invariants(billing.pool) == {}


async def test_deleting_a_persons_monthly_budget_returns_to_the_default(billing, tenant):
    budget = await billing.put_budget(tenant, "9.00")
    admin = billing.person(tenant, Role.ADMIN)
    assert (await billing.http.delete(f"{API}/budgets/{budget['id']}", headers=admin)).status_code == 204
    [back] = (await billing.get(tenant, "/budgets"))["data"]
    assert (back["is_default"], back["limit_nano"]) == (True, 2_000_000_000)
    again = await billing.http.delete(f"{API}/budgets/{budget['id']}", headers=admin)
    assert (again.status_code, again.json()["code"]) == (409, "budget_is_default")


async def test_deleting_another_budget_removes_it_even_under_open_holds(billing, tenant, broken_invariants):
    budget = await billing.put_budget(tenant, "1.00", window="day")
    held = (await billing.reserve(tenant)).json()
    await billing.http.delete(f"{API}/budgets/{budget['id']}", headers=billing.person(tenant, Role.ADMIN))
    assert (await billing.settle(held["request_id"], input_tokens=1)).status_code == 200
    assert budget["id"] not in {row["id"] for row in (await billing.get(tenant, "/budgets"))["data"]}
    assert await broken_invariants(billing.pool) == {}


async def test_the_default_budget_follows_the_setting_at_the_next_start(start_billing, tenant):
    async with start_billing() as billing:
        await billing.reserve(tenant)
    async with start_billing(default_user_budget="3.00") as billing:
        [budget] = (await billing.get(tenant, "/budgets"))["data"]
        assert budget["limit_nano"] == 3_000_000_000
    async with start_billing(default_user_budget="off") as billing:
        assert (await billing.get(tenant, "/budgets"))["data"] == []
        assert (await billing.reserve(tenant)).json()["remaining_nano"] > 4_000_000_000
