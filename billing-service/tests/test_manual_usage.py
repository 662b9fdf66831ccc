"""Usage recorded by hand, and live figures."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from shared.auth.permissions import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/usage-tracking"


async def manual(billing, tenant, role=Role.ADMIN, key=None, **body):
    headers = billing.person(tenant, role) | ({"idempotency-key": key} if key else {})
    body = {"model": "deepseek-ai/deepseek-v3", "tokens": 1000, "cost": 0.002, **body}
    return await billing.http.post(f"{API}/usage/manual-record", json=body, headers=headers)


async def live(billing, tenant, role=Role.ADMIN):
    answer = await billing.http.get(
        f"{API}/usage/real-time/{tenant.organisation_id}", headers=billing.person(tenant, role)
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_documented_record_counts_and_costs_the_wallet_nothing(billing, tenant):
    answer = await manual(billing, tenant)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["cost_nano"], answer.json()["tokens"], answer.json()["charged"]) == (
        2_000_000,
        1000,
        False,
    )
    shown = await live(billing, tenant)
    assert (shown["today"]["cost_nano"], shown["month"]["tokens"]) == (2_000_000, 1000)
    assert shown["by_model"][0]["model"] == "deepseek-ai/deepseek-v3"
    wallets = await billing.http.get("/api/v1/billing/wallets", headers=billing.person(tenant, Role.ADMIN))
    assert wallets.json()["data"][0]["available_nano"] == 5_000_000_000


async def test_a_charged_record_debits_the_wallet_once(billing, tenant, broken_invariants):
    first = await manual(billing, tenant, charge=True, transaction_id="invoice-7", cost="1.25")
    again = await manual(billing, tenant, charge=True, transaction_id="invoice-7", cost="1.25")
    other = await manual(billing, tenant, charge=True, transaction_id="invoice-7", cost="9.99")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json() == first.json()
    wallets = await billing.http.get("/api/v1/billing/wallets", headers=billing.person(tenant, Role.ADMIN))
    assert wallets.json()["data"][0]["available_nano"] == 3_750_000_000
    assert (await live(billing, tenant))["today"]["requests"] == 1
    assert await broken_invariants(billing.pool) == {}


async def test_many_at_once_are_recorded_once(billing, tenant, broken_invariants):
    answers = await asyncio.gather(
        *(manual(billing, tenant, charge=True, transaction_id="race", cost="1") for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    wallets = await billing.http.get("/api/v1/billing/wallets", headers=billing.person(tenant, Role.ADMIN))
    assert wallets.json()["data"][0]["available_nano"] == 4_000_000_000
    assert await broken_invariants(billing.pool) == {}


async def test_a_repeated_key_gets_the_first_answer(billing, tenant):
    key = str(uuid4())
    first, again = await manual(billing, tenant, key=key), await manual(billing, tenant, key=key)
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert (await live(billing, tenant))["today"]["requests"] == 1


async def test_a_wallet_that_cannot_pay_records_nothing(billing, tenant):
    refused = await manual(billing, tenant, charge=True, cost="5.01")
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert (await live(billing, tenant))["today"]["requests"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"cost": -1},
        {"cost": "1e3"},
        {"cost": "1000000.01"},
        {"cost": True},
        {"cost": None},
        {"tokens": -1},
        {"tokens": 10**12},
        {"output_tokens": 1001},
        {"model": ""},
        {"model": "a\x00b"},
        {"transaction_id": "a b"},
        {"transaction_id": "x" * 161},
        {"unknown": 1},
        {"occurred_at": "yesterday"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"occurred_at": "9999-12-31T23:59:59-14:00"},
        {"occurred_at": (datetime.now(UTC) + timedelta(days=2)).isoformat()},
    ],
)
async def test_an_unusable_record_is_refused(billing, tenant, change):
    assert (await manual(billing, tenant, **change)).status_code == 422
    assert (await live(billing, tenant))["today"]["requests"] == 0


async def test_a_record_of_another_time_counts_there(billing, tenant):
    await manual(billing, tenant, occurred_at=(datetime.now(UTC) - timedelta(days=40)).isoformat())
    shown = await live(billing, tenant)
    assert (shown["today"]["requests"], shown["month"]["requests"]) == (0, 0)


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN_READONLY, Role.TEAM_ADMIN])
async def test_only_those_who_may_record(billing, tenant, role):
    assert (await manual(billing, tenant, role=role)).status_code == 403
    refused = await billing.http.post(
        f"{API}/sync/openrouter-usage", json={"days_back": 1}, headers=billing.person(tenant, role)
    )
    assert refused.status_code == 403


async def test_another_organisation_is_not_there(billing, tenant, new_tenant):
    stranger = new_tenant()
    assert (await manual(billing, tenant, client_org_id=str(stranger.organisation_id))).status_code == 404
    answer = await billing.http.get(
        f"{API}/usage/real-time/{stranger.organisation_id}", headers=billing.person(tenant, Role.ADMIN)
    )
    assert answer.status_code == 404
    refused = await billing.http.get(
        f"{API}/usage/real-time/{tenant.organisation_id}", headers=billing.person(tenant, Role.USER)
    )
    assert refused.status_code == 403
