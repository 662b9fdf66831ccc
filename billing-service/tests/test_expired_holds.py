"""A hold that expires is charged by its last checkpoint; a late settlement posts the difference."""

import pytest
from ledger_reads import balances, transfers

pytestmark = pytest.mark.asyncio(loop_scope="module")
QWEN_INPUT, QWEN_OUTPUT = 10, 40  # nano-USD per token of the built-in model


async def test_an_expired_hold_charges_its_checkpoint(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    await billing.checkpoint(**{held["request_id"]: 30})
    assert await billing.expire(held["request_id"])
    usage = (
        await billing.http.get(f"/internal/v1/usage/{held['request_id']}", headers=billing.inference())
    ).json()
    assert usage["state"] == "expired"
    assert usage["cost_nano"] == 100 * QWEN_INPUT + 30 * QWEN_OUTPUT  # the floor of 400 bytes is 100 tokens
    assert (await balances(billing, tenant))["expired"] == usage["cost_nano"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_hold_that_was_never_begun_costs_nothing_when_it_expires(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    assert await billing.expire(held["request_id"])
    usage = (
        await billing.http.get(f"/internal/v1/usage/{held['request_id']}", headers=billing.inference())
    ).json()
    assert (usage["state"], usage["cost_nano"], usage["input_tokens"]) == ("expired", 0, 0)
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000
    assert [entry[3] for entry in await transfers(billing, held["request_id"])] == ["hold", "return"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_late_settle_of_what_seemed_never_begun_is_charged(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    await billing.expire(held["request_id"])
    settled = (await billing.settle(held["request_id"], input_tokens=150, output_tokens=60)).json()
    assert settled["cost_nano"] == 150 * QWEN_INPUT + 60 * QWEN_OUTPUT
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000 - settled["cost_nano"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_late_settle_posts_only_the_difference(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    await billing.checkpoint(**{held["request_id"]: 0})
    await billing.expire(held["request_id"])
    settled = (await billing.settle(held["request_id"], input_tokens=150, output_tokens=60)).json()
    assert settled["cost_nano"] == 150 * QWEN_INPUT + 60 * QWEN_OUTPUT
    assert [entry[3] for entry in await transfers(billing, held["request_id"])] == [
        "hold",
        "expire",
        "return",
        "late_confirm",
        "late_charge",
    ]
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000 - settled["cost_nano"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_late_settle_below_the_floor_refunds(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    await billing.checkpoint(**{held["request_id"]: 90})
    await billing.expire(held["request_id"])
    settled = (await billing.settle(held["request_id"], input_tokens=5, output_tokens=1)).json()
    assert settled["cost_nano"] == 5 * QWEN_INPUT + QWEN_OUTPUT
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000 - settled["cost_nano"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_late_settle_never_exceeds_a_budget_that_filled_up_meanwhile(
    billing, tenant, broken_invariants
):
    held = (
        await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=100_000)
    ).json()
    await billing.expire(held["request_id"])  # nothing was checkpointed: everything goes back
    other = (
        await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000)
    ).json()
    assert other["amount_nano"] == 2_000_000_000
    settled = (await billing.settle(held["request_id"], output_tokens=100_000)).json()
    assert (settled["cost_nano"], settled["house_loss_nano"]) == (0, 1_000_000_000)
    assert await broken_invariants(billing.pool) == {}


async def test_releasing_an_expired_hold_refunds_its_provisional_charge(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    await billing.checkpoint(**{held["request_id"]: 0})
    await billing.expire(held["request_id"])
    assert (await billing.release(held["request_id"])).status_code == 200
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000
    assert await broken_invariants(billing.pool) == {}
