"""Prices as administrators set and everybody sees them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from shared.auth.permissions import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/billing"


async def test_seed_prices_are_listed_and_paged(billing, tenant):
    first = await billing.get(tenant, "/prices", Role.USER, limit=3)
    assert first["has_more"] is True
    rest = await billing.get(tenant, "/prices", Role.USER, after=first["last_id"])
    models = [price["model"] for price in first["data"] + rest["data"]]
    assert models == sorted(models)
    assert {"qwen2.5-coder-0.5b-instruct", "smollm2-135m-instruct", "all-minilm-l6-v2"} <= set(models)


async def test_a_price_change_counts_from_now_and_leaves_open_holds_and_past_charges(
    billing, tenant, broken_invariants
):
    model = f"model-{uuid4()}"
    admin = billing.person(tenant, Role.ADMIN)
    put = {"model": model, "input_nano_per_mtok": 1_000_000_000, "output_nano_per_mtok": 2_000_000_000}
    old = (await billing.http.put(f"{API}/prices", json=put, headers=admin)).json()
    assert old["cache_read_nano_per_mtok"] == 1_000_000_000
    before = (await billing.reserve(tenant, model=model)).json()
    new = (
        await billing.http.put(
            f"{API}/prices", json={**put, "output_nano_per_mtok": 9_000_000_000}, headers=admin
        )
    ).json()
    after = (await billing.reserve(tenant, model=model)).json()
    assert (before["price_version"], after["price_version"]) == (old["id"], new["id"])
    assert (await billing.settle(before["request_id"], output_tokens=10)).json()["cost_nano"] == 20_000
    assert (await billing.settle(after["request_id"], output_tokens=10)).json()["cost_nano"] == 90_000
    history = (await billing.get(tenant, "/prices", model=model, history=True))["data"]
    assert [price["id"] for price in history] == [old["id"], new["id"]]
    assert history[0]["effective_to"] == history[1]["effective_from"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_planned_price_waits_for_its_time(billing, tenant):
    model = f"model-{uuid4()}"
    admin = billing.person(tenant, Role.FINANCE)
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    planned = await billing.http.put(
        f"{API}/prices", json={"model": model, "free": True, "effective_from": later}, headers=admin
    )
    assert planned.status_code == 200
    assert (await billing.reserve(tenant, model=model)).status_code == 402
    put = {"model": model, "input_nano_per_mtok": 1, "output_nano_per_mtok": 1}
    now = (await billing.http.put(f"{API}/prices", json=put, headers=admin)).json()
    assert now["effective_to"] == planned.json()["effective_from"]
    again = await billing.http.put(
        f"{API}/prices", json={"model": model, "free": True, "effective_from": later}, headers=admin
    )
    assert again.status_code == 409


@pytest.mark.parametrize(
    "change",
    [
        {"input_nano_per_mtok": 5},
        {"free": True, "input_nano_per_mtok": 5},
        {"input_nano_per_mtok": -1, "output_nano_per_mtok": 1},
        {"input_nano_per_mtok": 1.5, "output_nano_per_mtok": 1},
        {"free": True, "effective_from": "2001-01-01T00:00:00Z"},
        {"free": True, "effective_from": "2101-01-01T00:00:00"},
        {"free": True, "prize": 1},
    ],
)
async def test_a_price_that_makes_no_sense_is_422(billing, tenant, change):
    answer = await billing.http.put(
        f"{API}/prices", json={"model": "m", **change}, headers=billing.person(tenant, Role.ADMIN)
    )
    assert answer.status_code == 422, answer.text


async def test_marking_a_model_free_opens_it(billing, tenant):
    model = f"model-{uuid4()}"
    put = await billing.http.put(
        f"{API}/prices", json={"model": model, "free": True}, headers=billing.person(tenant, Role.ADMIN)
    )
    assert put.json()["free"] is True
    assert (await billing.reserve(tenant, model=model)).json()["amount_nano"] == 0


async def test_a_price_is_taken_in_usd_per_million_tokens(billing, tenant):
    model = f"model-{uuid4()}"
    price = {"model": model, "input": "2.50", "output": 10, "cache_read": 0.125}
    answer = await billing.http.put(
        "/api/v1/billing/prices", json=price, headers=billing.person(tenant, Role.FINANCE)
    )
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["input_nano_per_mtok"], shown["output_nano_per_mtok"]) == (2_500_000_000, 10_000_000_000)
    assert (shown["cache_read_nano_per_mtok"], shown["reasoning_nano_per_mtok"]) == (
        125_000_000,
        10_000_000_000,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"model": "a\x00b", "input": "1", "output": "1"},
        {"model": "a", "input": "1e3", "output": "1"},
        {"model": "a", "input": "-1", "output": "1"},
        {"model": "a", "input": True, "output": "1"},
        {"model": "a", "input": "1", "input_nano_per_mtok": 5, "output": "1"},
        {"model": "a", "input": "0.0000000001", "output": "1"},
        {"model": "a", "input": "1"},
    ],
)
async def test_an_unusable_price_is_refused(billing, tenant, change):
    answer = await billing.http.put(
        "/api/v1/billing/prices", json=change, headers=billing.person(tenant, Role.FINANCE)
    )
    assert answer.status_code == 422, answer.text
