"""Reserve, settle, release and checkpoint over HTTP, as the inference-service calls them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from ledger_reads import balances, transfers

pytestmark = pytest.mark.asyncio(loop_scope="module")

QWEN_INPUT, QWEN_OUTPUT = 10, 40  # nano-USD per token of the built-in model


async def test_a_pair_moves_money_through_the_ledger(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    assert held["state"] == "held"
    assert held["amount_nano"] == 400 * QWEN_INPUT + 100 * QWEN_OUTPUT
    assert held["granted_output_tokens"] == 100
    assert held["free"] is False
    assert (
        held["remaining_nano"] == 2_000_000_000 - held["amount_nano"]
    )  # the person's default budget is the tightest limit

    settled = (await billing.settle(held["request_id"], input_tokens=90, output_tokens=33)).json()
    cost_nano = 90 * QWEN_INPUT + 33 * QWEN_OUTPUT
    assert settled == {
        "request_id": held["request_id"],
        "state": "settled",
        "cost_nano": cost_nano,
        "house_loss_nano": 0,
        "remaining_nano": 2_000_000_000 - cost_nano,
    }
    assert await transfers(billing, held["request_id"]) == [
        ("wallet", "held", held["amount_nano"], "hold"),
        ("held", "usage_revenue", cost_nano, "charge"),
        ("held", "wallet", held["amount_nano"] - cost_nano, "return"),
    ]
    assert {kind: nano for kind, nano in (await balances(billing, tenant)).items() if nano} == {
        "wallet": 5_000_000_000 - cost_nano,
        "grant": -5_000_000_000,
        "usage_revenue": cost_nano,
    }
    assert await broken_invariants(billing.pool) == {}


async def test_a_repeated_reserve_returns_the_same_hold(billing, tenant):
    request_id = str(uuid4())
    first = (await billing.reserve(tenant, request_id=request_id)).json()
    again = await billing.reserve(tenant, request_id=request_id)
    assert again.status_code == 200
    assert again.json()["amount_nano"] == first["amount_nano"]
    assert again.json()["expires_at"] == first["expires_at"]
    assert (await balances(billing, tenant))["held"] == first["amount_nano"]


async def test_a_settled_request_id_cannot_be_reserved_again(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    await billing.settle(held["request_id"], input_tokens=1, output_tokens=1)
    again = await billing.reserve(tenant, request_id=held["request_id"])
    assert again.status_code == 409
    assert again.json()["code"] == "request_id_reused"


async def test_a_request_id_of_somebody_else_is_refused(billing, tenant, new_tenant):
    held = (await billing.reserve(tenant)).json()
    assert (await billing.reserve(new_tenant(), request_id=held["request_id"])).status_code == 409


async def test_a_second_settle_returns_the_first_charge(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    first = await billing.settle(held["request_id"], input_tokens=10, output_tokens=10)
    second = await billing.settle(held["request_id"], input_tokens=400, output_tokens=100)
    assert second.status_code == 200
    assert second.json()["cost_nano"] == first.json()["cost_nano"]
    assert len(await transfers(billing, held["request_id"])) == 3


async def test_release_gives_the_whole_hold_back_and_repeats(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    for _ in range(2):
        released = await billing.release(held["request_id"])
        assert released.status_code in {200, 409}
    assert (await balances(billing, tenant))["wallet"] == 5_000_000_000
    assert (await billing.settle(held["request_id"], input_tokens=1)).status_code == 409


async def test_a_release_repeats_with_the_same_answer(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    first, second = await billing.release(held["request_id"]), await billing.release(held["request_id"])
    assert first.json() == second.json() == {"request_id": held["request_id"], "state": "released"}


async def test_a_settled_hold_cannot_be_released(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    await billing.settle(held["request_id"], input_tokens=1)
    assert (await billing.release(held["request_id"])).status_code == 409


@pytest.mark.parametrize("call", ["settle", "release"])
async def test_an_unknown_hold_is_404(billing, call):
    answer = await getattr(billing, call)(str(uuid4()))
    assert answer.status_code == 404
    assert answer.json()["code"] == "hold_unknown"


async def test_the_customer_pays_at_most_the_hold_and_the_house_the_rest(billing, tenant, broken_invariants):
    held = (await billing.reserve(tenant)).json()
    settled = (await billing.settle(held["request_id"], input_tokens=400, output_tokens=5_000)).json()
    assert settled["cost_nano"] == held["amount_nano"]
    assert settled["house_loss_nano"] == 400 * QWEN_INPUT + 5_000 * QWEN_OUTPUT - held["amount_nano"]
    assert (await balances(billing, tenant))["house_loss"] == -settled["house_loss_nano"]
    assert await broken_invariants(billing.pool) == {}


async def test_a_free_model_holds_no_money_and_is_still_recorded(billing, tenant, broken_invariants):
    held = (
        await billing.reserve(tenant, model="all-minilm-l6-v2", kind="embedding", output_tokens_max=0)
    ).json()
    assert (held["free"], held["amount_nano"]) == (True, 0)
    settled = (await billing.settle(held["request_id"], input_tokens=256)).json()
    assert settled["cost_nano"] == 0
    event = await billing.pool.fetchrow(
        "SELECT * FROM usage_event WHERE request_id = $1", UUID(held["request_id"])
    )
    assert (event["tokens_input"], event["cost_nano"]) == (256, 0)
    assert await transfers(billing, held["request_id"]) == []
    assert await broken_invariants(billing.pool) == {}


async def test_an_unknown_price_names_the_call_that_sets_it(billing, tenant):
    refused = await billing.reserve(tenant, model="nobody/knows-me", principal={"role": "admin"})
    problem = refused.json()
    assert refused.status_code == 402
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-should-retry"] == "false"
    assert problem["code"] == "price_unknown"
    assert "PUT /api/v1/billing/prices" in problem["detail"]
    assert problem["action"] == {
        "kind": "change_limit",
        "label": "Set a price or mark it free",
        "method": "PUT",
        "path": "/api/v1/billing/prices",
    }
    assert problem["upgrade_url"].startswith(billing.settings.public_url)


@pytest.mark.parametrize("role", ["user", "admin-readonly", "a-role-of-a-newer-version", None])
async def test_a_refusal_offers_only_what_the_person_can_do(billing, tenant, role):
    await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000)
    unpriced = await billing.reserve(tenant, model="nobody/knows-me", principal={"role": role})
    used_up = await billing.reserve(
        tenant, model="gpt-4o", input_tokens_max=100, output_tokens_max=100, principal={"role": role}
    )
    for refused in (unpriced, used_up):
        problem = refused.json()
        assert problem["action"]["kind"] == "ask_admin"
        assert "/api/" not in refused.text.replace(problem["instance"], "")
        assert "upgrade_url" not in problem


async def test_a_model_outside_the_allow_list_is_403(billing, tenant):
    refused = await billing.reserve(tenant, principal={"models": ["gpt-4o"]})
    assert refused.status_code == 403
    assert refused.json()["code"] == "model_not_allowed"


async def test_output_is_clamped_to_what_the_headroom_buys(billing, tenant):
    held = (
        await billing.reserve(tenant, model="gpt-4o", input_tokens_max=1_000, output_tokens_max=1_000_000)
    ).json()
    assert held["granted_output_tokens"] == (2_000_000_000 - 1_000 * 2_500) // 10_000
    assert held["amount_nano"] <= 2_000_000_000
    assert held["amount_nano"] + 10_000 > 2_000_000_000  # one token more would not fit


async def test_choices_share_the_headroom(billing, tenant):
    held = (
        await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000, n=4)
    ).json()
    assert held["granted_output_tokens"] == 2_000_000_000 // 10_000 // 4


async def test_a_used_up_budget_explains_itself(billing, tenant):
    await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000)
    refused = await billing.reserve(
        tenant, model="gpt-4o", input_tokens_max=100, output_tokens_max=100, principal={"role": "admin"}
    )
    problem = refused.json()
    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    assert problem["code"] == "budget_exceeded"
    assert (problem["scope"], problem["scope_id"]) == ("user", str(tenant.user_id))
    assert (problem["limit_nano"], problem["spent_nano"], problem["held_nano"]) == (
        2_000_000_000,
        0,
        2_000_000_000,
    )
    resets_at = datetime.fromisoformat(problem["resets_at"])
    assert resets_at > datetime.now(UTC)
    assert (resets_at.day, resets_at.hour) == (1, 0)
    assert problem["action"] == {
        "kind": "change_limit",
        "label": "Raise the budget",
        "method": "PUT",
        "path": "/api/v1/billing/budgets",
    }
    assert problem["upgrade_url"] == f"{billing.settings.public_url}/admin/wallet#budgets"
    assert "2.00 USD" in problem["detail"]


async def test_an_empty_wallet_names_the_top_up(start_billing, tenant):
    async with start_billing(starting_grant="0.00001", default_user_budget="off") as billing:
        refused = await billing.reserve(tenant, model="gpt-4o", principal={"role": "finance"})
        problem = refused.json()
        assert refused.status_code == 402
        assert problem["code"] == "insufficient_credits"
        assert (problem["scope"], problem["limit_nano"], problem["held_nano"]) == ("wallet", 10_000, 0)
        assert problem["action"]["path"] == f"/api/v1/billing/wallets/{problem['scope_id']}/top-ups"
        assert problem["required_nano"] > problem["remaining_nano"]


async def test_a_refusal_takes_nothing_from_any_limit(billing, tenant):
    await billing.reserve(tenant, model="gpt-4o", input_tokens_max=0, output_tokens_max=1_000_000)
    before = await balances(billing, tenant)
    windows = await billing.pool.fetch("SELECT id, spent_nano, held_nano FROM budget_window ORDER BY id")
    for _ in range(5):
        assert (await billing.reserve(tenant, model="gpt-4o")).status_code == 429
    assert await balances(billing, tenant) == before
    assert (
        await billing.pool.fetch("SELECT id, spent_nano, held_nano FROM budget_window ORDER BY id") == windows
    )


async def test_a_checkpoint_renews_live_holds_and_names_lost_ones(billing, tenant):
    live, ended, unknown = (
        (await billing.reserve(tenant)).json(),
        (await billing.reserve(tenant)).json(),
        str(uuid4()),
    )
    await billing.settle(ended["request_id"], input_tokens=1)
    answer = await billing.checkpoint(**{live["request_id"]: 12, ended["request_id"]: 5, unknown: 1})
    assert answer == {"renewed": [live["request_id"]], "lost": [ended["request_id"], unknown]}
    row = await billing.pool.fetchrow(
        "SELECT expires_at - clock_timestamp() AS left_to_live, checkpoint_output_tokens FROM hold WHERE "
        "request_id = $1",
        UUID(live["request_id"]),
    )
    assert row["checkpoint_output_tokens"] == 12
    assert timedelta(seconds=5) < row["left_to_live"] <= timedelta(seconds=billing.settings.hold_begun_ttl_s)


async def test_a_checkpoint_never_goes_back(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    await billing.checkpoint(**{held["request_id"]: 50})
    await billing.checkpoint(**{held["request_id"]: 20})
    await billing.expire(held["request_id"])
    usage = await billing.http.get(f"/internal/v1/usage/{held['request_id']}", headers=billing.inference())
    assert usage.json()["output_tokens"] == 50


async def test_the_caller_can_say_what_the_input_floor_is(billing, tenant):
    held = (await billing.reserve(tenant, input_tokens_floor=7)).json()
    await billing.checkpoint(**{held["request_id"]: 0})
    await billing.expire(held["request_id"])
    usage = (
        await billing.http.get(f"/internal/v1/usage/{held['request_id']}", headers=billing.inference())
    ).json()
    assert usage["cost_nano"] == 7 * QWEN_INPUT


async def test_an_event_is_dated_between_admission_and_now(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    body = {"usage": {"input_tokens": 1}, "source": "provider", "outcome": "complete", "latency_ms": 1}
    body["occurred_at"] = (datetime.now(UTC) - timedelta(days=900)).isoformat()
    await billing.http.post(
        f"/internal/v1/reservations/{held['request_id']}/settle", json=body, headers=billing.inference()
    )
    stamp = await billing.pool.fetchval(
        'SELECT "timestamp" FROM usage_event WHERE request_id = $1', UUID(held["request_id"])
    )
    assert datetime.now(UTC) - stamp < timedelta(minutes=1)


@pytest.mark.parametrize(
    "change",
    [
        {"input_tokens_max": -1},
        {"input_tokens_max": 10**12},
        {"n": 0},
        {"kind": "poem"},
        {"request_id": "not-a-uuid"},
        {"model": ""},
        {"principal": {"user_id": None}},
    ],
)
async def test_a_malformed_reservation_is_422(billing, tenant, change):
    refused = await billing.reserve(tenant, **change)
    assert refused.status_code == 422
    assert refused.json()["errors"]


async def test_a_body_that_is_not_json_is_422_and_a_huge_one_413(billing):
    post = billing.http.post
    assert (
        await post("/internal/v1/reservations", content=b"{", headers=billing.inference())
    ).status_code == 422
    assert (
        await post("/internal/v1/reservations", content=b" " * 100_000, headers=billing.inference())
    ).status_code == 413


async def test_internal_routes_are_closed_to_people_and_other_services(billing, tenant):
    body = {"holds": []}
    paths = [
        "/internal/v1/reservations",
        "/internal/v1/reservations/checkpoint",
        f"/internal/v1/reservations/{uuid4()}/settle",
    ]
    for path in paths:
        assert (await billing.http.post(path, json=body)).status_code == 401
        assert (await billing.http.post(path, json=body, headers=billing.person(tenant))).status_code == 403
        chat = billing.keys.service_headers("chat-service", target="billing-service")
        assert (await billing.http.post(path, json=body, headers=chat)).status_code == 403
    elsewhere = billing.keys.service_headers("inference-service", target="chat-service")
    assert (await billing.http.post(paths[1], json=body, headers=elsewhere)).status_code == 401


@pytest.mark.parametrize("reader", ["chat-service", "agent-service"])
async def test_who_asks_for_replies_may_read_what_became_of_a_dispatch(billing, tenant, reader):
    held = (await billing.reserve(tenant)).json()
    chat = billing.keys.service_headers(reader, target="billing-service")
    path = f"/internal/v1/usage/{held['request_id']}"
    assert (await billing.http.get(path, headers=chat)).json()["state"] == "held"
    await billing.settle(held["request_id"], input_tokens=3, output_tokens=4)
    assert (await billing.http.get(path, headers=chat)).json() == {
        "request_id": held["request_id"],
        "state": "settled",
        "cost_nano": 3 * QWEN_INPUT + 4 * QWEN_OUTPUT,
        "input_tokens": 3,
        "output_tokens": 4,
    }
    assert (await billing.http.get(f"/internal/v1/usage/{uuid4()}", headers=chat)).status_code == 404
