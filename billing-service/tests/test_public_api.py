"""What people and administrators see of wallets, ledger and audit trail, and what is refused to whom."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from identities import make_principal
from shared.auth.permissions import Permission, Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/billing"


async def test_entitlements_show_the_grant_and_the_default_budget_before_the_first_request(billing, tenant):
    shown = await billing.get(tenant, "/entitlements", Role.USER)
    assert shown["wallet"]["balance"] == {"amount": "5.000000000", "currency": "USD"}
    assert shown["remaining_nano"] == 2_000_000_000
    [budget] = shown["budgets"]
    assert (budget["scope"], budget["scope_id"], budget["window"]) == ("user", str(tenant.user_id), "month")
    assert datetime.fromisoformat(budget["resets_at"]) > datetime.now(UTC)


async def test_entitlements_follow_holds_and_charges(billing, tenant):
    held = (await billing.reserve(tenant)).json()
    shown = await billing.get(tenant, "/entitlements", Role.USER)
    assert shown["wallet"]["held_nano"] == held["amount_nano"] == shown["budgets"][0]["held_nano"]
    settled = (await billing.settle(held["request_id"], input_tokens=50, output_tokens=5)).json()
    shown = await billing.get(tenant, "/entitlements", Role.USER)
    assert shown["wallet"]["held_nano"] == 0
    assert shown["wallet"]["balance_nano"] == 5_000_000_000 - settled["cost_nano"]
    assert shown["remaining_nano"] == settled["remaining_nano"]


async def test_a_service_may_ask_for_a_person_but_not_for_itself(billing, tenant):
    acting = billing.keys.service_headers(
        "chat-service", target="billing-service", principal=tenant.principal()
    )
    assert (await billing.http.get(f"{API}/entitlements", headers=acting)).status_code == 200
    bare = billing.keys.service_headers("chat-service", target="billing-service")
    assert (await billing.http.get(f"{API}/entitlements", headers=bare)).status_code in {401, 403}


async def test_a_top_up_is_booked_once_per_key(billing, tenant, broken_invariants):
    admin = billing.person(tenant, Role.ADMIN)
    [wallet] = (await billing.get(tenant, "/wallets"))["data"]
    path = f"{API}/wallets/{wallet['id']}/top-ups"
    key = {"Idempotency-Key": str(uuid4())}
    first = await billing.http.post(path, json={"amount": "10.00"}, headers=admin | key)
    again = await billing.http.post(path, json={"amount": "10.00"}, headers=admin | key)
    assert first.status_code == 201
    assert again.json() == first.json()
    assert first.json()["wallet"]["balance"]["amount"] == "15.000000000"
    other = await billing.http.post(path, json={"amount": "11.00"}, headers=admin | key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await billing.get(tenant, "/wallets"))["data"][0]["balance_nano"] == 15_000_000_000
    assert await broken_invariants(billing.pool) == {}


@pytest.mark.parametrize("amount", ["0", "-1", "1e99", "NaN", "ten", "0.0000000001", "1000000.01"])
async def test_an_unusable_amount_is_422(billing, tenant, amount):
    [wallet] = (await billing.get(tenant, "/wallets"))["data"]
    path = f"{API}/wallets/{wallet['id']}/top-ups"
    answer = await billing.http.post(
        path, json={"amount": amount}, headers=billing.person(tenant, Role.ADMIN)
    )
    assert answer.status_code == 422, answer.text


async def test_another_organisations_wallet_and_budget_are_404(billing, tenant, new_tenant):
    stranger = new_tenant()
    [wallet] = (await billing.get(tenant, "/wallets"))["data"]
    admin = billing.person(stranger, Role.ADMIN)
    top_up = await billing.http.post(
        f"{API}/wallets/{wallet['id']}/top-ups", json={"amount": "1.00"}, headers=admin
    )
    assert (top_up.status_code, top_up.json()["code"]) == (404, "wallet_unknown")
    body = {"scope": "user", "scope_id": str(tenant.user_id), "window": "day", "limit": "1"}
    budget = (
        await billing.http.put(f"{API}/budgets", json=body, headers=billing.person(tenant, Role.ADMIN))
    ).json()
    assert (await billing.http.delete(f"{API}/budgets/{budget['id']}", headers=admin)).status_code == 404
    body = {"scope": "organisation", "scope_id": str(tenant.organisation_id), "window": "day", "limit": "1"}
    assert (await billing.http.put(f"{API}/budgets", json=body, headers=admin)).status_code == 404
    assert (await billing.get(stranger, "/budgets"))["data"] == []
    assert (await billing.get(stranger, "/usage/events", scope="organisation"))["data"] == []


async def test_the_ledger_shows_both_sides_of_each_transfer(billing, tenant):
    request_id = await billing.spend(tenant, input_tokens=3, output_tokens=4)
    entries = (await billing.get(tenant, "/ledger/entries", Role.FINANCE, transaction_id=request_id))["data"]
    assert [(entry["debit"], entry["credit"], entry["reason"]) for entry in reversed(entries)] == [
        ("wallet", "held", "hold"),
        ("held", "usage_revenue", "charge"),
        ("held", "wallet", "return"),
    ]
    everything = await billing.get(tenant, "/ledger/entries", Role.FINANCE)
    assert everything["data"][-1]["transaction_id"] == f"grant:{tenant.organisation_id}"


async def test_changes_leave_an_audit_trail(billing, tenant):
    await billing.put_budget(tenant, "1.00")
    await billing.put_budget(tenant, "2.50")
    newest, older = (await billing.get(tenant, "/audit"))["data"][:2]
    assert newest["action"] == older["action"] == "budget.set"
    assert newest["before"]["limit_nano"] == 1_000_000_000
    assert newest["after"]["limit_nano"] == 2_500_000_000
    assert UUID(newest["actor_id"]) == tenant.user_id


async def test_the_gateway_reads_the_changes_of_all_organisations_the_oldest_first(
    billing, tenant, new_tenant
):
    other = new_tenant()
    await billing.put_budget(tenant, "1.00")
    await billing.put_budget(other, "2.00")
    await billing.put_budget(tenant, "3.00")
    headers = billing.keys.service_headers("gateway", target="billing-service")
    read, after = list[dict[str, Any]](), None
    while True:
        params = {"limit": 2, **({"after": after} if after else {})}
        page = (await billing.http.get("/internal/v1/audit", params=params, headers=headers)).json()
        read += page["data"]
        after = page["last_id"]
        if not page["has_more"]:
            break
    mine = [
        entry
        for entry in read
        if entry["organisation_id"] in {str(tenant.organisation_id), str(other.organisation_id)}
    ]
    assert [entry["after"]["limit_nano"] for entry in mine] == [1_000_000_000, 2_000_000_000, 3_000_000_000]
    assert [entry["before"] is None for entry in mine] == [True, True, False]
    assert {(entry["action"], entry["actor_id"]) for entry in mine} == {
        ("budget.set", str(tenant.user_id)),
        ("budget.set", str(other.user_id)),
    }
    assert [entry["id"] for entry in read] == sorted({entry["id"] for entry in read})


async def test_nobody_but_the_gateway_reads_the_changes_of_all_organisations(billing, tenant):
    for headers in (billing.inference(), billing.person(tenant, Role.ADMIN)):
        assert (await billing.http.get("/internal/v1/audit", headers=headers)).status_code == 403


SOME_ID = "01a200af-0000-7000-8000-000000000001"  # fixed: the names of tests are the same in every worker

ADMIN_CALLS = [
    ("PUT", "/prices", {"model": "m", "free": True}),
    ("POST", f"/wallets/{SOME_ID}/top-ups", {"amount": "1.00"}),
    ("PUT", "/budgets", {"scope": "user", "scope_id": SOME_ID, "window": "day", "limit": "1"}),
    ("DELETE", f"/budgets/{SOME_ID}", None),
    ("GET", "/wallets", None),
    ("GET", "/budgets", None),
    ("GET", "/ledger/entries", None),
    ("GET", "/audit", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_CALLS)
async def test_administration_is_refused_without_the_permission(billing, tenant, method, path, body):
    url = f"{API}{path}"
    assert (await billing.http.request(method, url, json=body)).status_code == 401
    assert (
        await billing.http.request(method, url, json=body, headers=billing.person(tenant))
    ).status_code == 403
    if method != "GET":
        reader = billing.person(tenant, Role.ADMIN_READONLY)
        assert (await billing.http.request(method, url, json=body, headers=reader)).status_code == 403


async def test_a_key_with_few_scopes_sees_only_what_they_allow(billing, tenant):
    narrow = make_principal(
        Role.ADMIN, organisation_id=tenant.organisation_id, scopes=(Permission.MODELS_USE.value,)
    )
    answer = await billing.http.get(f"{API}/wallets", headers=billing.keys.user_headers(narrow))
    assert answer.status_code == 403


async def test_every_public_route_refuses_a_stranger(billing):
    document = (await billing.http.get("/openapi.json")).json()
    guarded = [path for path in document["paths"] if path.startswith((API, "/internal"))]
    assert len(guarded) >= 15
    for path in guarded:
        for method in document["paths"][path]:
            url = (
                path.replace("{request_id}", str(uuid4()))
                .replace("{wallet_id}", str(uuid4()))
                .replace("{budget_id}", str(uuid4()))
            )
            assert (await billing.http.request(method, url)).status_code == 401, (method, path)


@pytest.mark.parametrize(
    "amount",
    ["1e3", "1_000", "\uff11\uff10", " 10", "10 ", "+5", ".5", "5.", "0x10", "NaN", "Infinity", "1,5", ""],
)
async def test_only_plain_decimals_are_amounts(billing, tenant, amount):
    wallet = (
        await billing.http.get("/api/v1/billing/wallets", headers=billing.person(tenant, Role.FINANCE))
    ).json()["data"][0]
    headers = {**billing.person(tenant, Role.FINANCE), "idempotency-key": str(uuid4())}
    answer = await billing.http.post(
        f"/api/v1/billing/wallets/{wallet['id']}/top-ups", json={"amount": amount}, headers=headers
    )
    assert answer.status_code == 422, answer.text
