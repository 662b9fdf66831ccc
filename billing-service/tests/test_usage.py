"""Usage and cost as people see them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from shared.auth.permissions import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/billing"


async def test_usage_sums_by_day_model_user_and_key(billing, new_tenant):
    tenant = new_tenant(key_id=uuid4())
    colleague = new_tenant(organisation_id=tenant.organisation_id, team_id=tenant.team_id)
    await billing.spend(tenant, input_tokens=10, output_tokens=1)
    await billing.spend(tenant, input_tokens=20, output_tokens=2)
    await billing.spend(tenant, model="smollm2-135m-instruct", input_tokens=30, output_tokens=3)
    await billing.spend(colleague, input_tokens=40, output_tokens=4)
    today = datetime.now(UTC).date().isoformat()

    own = await billing.get(tenant, "/usage", Role.USER, group_by="day,model")
    assert [
        (row["day"], row["model"], row["requests"], row["input_tokens"], row["cost_nano"])
        for row in own["data"]
    ] == [
        (today, "qwen2.5-coder-0.5b-instruct", 2, 30, 30 * 10 + 3 * 40),
        (today, "smollm2-135m-instruct", 1, 30, 30 * 5 + 3 * 20),
    ]
    assert own["total"]["requests"] == 3
    everyone = await billing.get(tenant, "/usage", Role.ORG_ADMIN, group_by="user", scope="organisation")
    assert {row["user_id"]: row["requests"] for row in everyone["data"]} == {
        str(tenant.user_id): 3,
        str(colleague.user_id): 1,
    }
    keys = await billing.get(tenant, "/usage", Role.ORG_ADMIN, group_by="key", scope="organisation")
    assert {row["key_id"]: row["requests"] for row in keys["data"]} == {str(tenant.key_id): 3, None: 1}
    assert sum(row["cost_nano"] for row in keys["data"]) == keys["total"]["cost_nano"]


async def test_others_usage_needs_a_permission(billing, tenant):
    for path in ("/usage", "/usage/events"):
        answer = await billing.http.get(
            f"{API}{path}", headers=billing.person(tenant), params={"scope": "organisation"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "usage_not_yours")


@pytest.mark.parametrize(
    "params",
    [
        {"group_by": "colour"},
        {"group_by": "day,day"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "2001-01-01"},
        {"from": "soon"},
        {"scope": "world"},
    ],
)
async def test_a_usage_question_that_makes_no_sense_is_422(billing, tenant, params):
    answer = await billing.http.get(f"{API}/usage", headers=billing.person(tenant), params=params)
    assert answer.status_code == 422, answer.text


async def test_an_event_has_the_contract_fields_and_exact_money(billing, tenant):
    request_id = await billing.spend(
        tenant, input_tokens=3, cache_read_tokens=2, output_tokens=4, reasoning_tokens=1
    )
    [event] = (await billing.get(tenant, "/usage/events", Role.USER, request_id=request_id))["data"]
    contract = {
        "customer_id",
        "timestamp",
        "model",
        "provider",
        "tokens_input",
        "tokens_output",
        "cost_usd",
        "request_id",
        "user_id",
    }
    assert contract <= event.keys()
    assert (event["customer_id"], event["user_id"]) == (str(tenant.organisation_id), str(tenant.user_id))
    assert (event["tokens_input"], event["tokens_output"]) == (5, 5)
    assert event["cost_nano"] == 5 * 10 + 5 * 40
    assert event["cost_usd"] == 0.00000025
    assert event["cost"]["amount"] == "0.000000250"
    assert (event["source"], event["outcome"], event["latency_ms"]) == ("provider", "complete", 7)


async def test_events_page_newest_first(billing, tenant):
    ids = sorted([await billing.spend(tenant, input_tokens=1) for _ in range(5)], reverse=True)
    first = await billing.get(tenant, "/usage/events", Role.USER, limit=3)
    second = await billing.get(tenant, "/usage/events", Role.USER, limit=3, after=first["last_id"])
    assert [event["id"] for event in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_usage_can_be_cut_by_the_days_of_a_time_zone(billing, tenant):
    for hour in (1, 9, 22):
        held = (await billing.reserve(tenant)).json()
        await billing.pool.execute(
            "UPDATE hold SET created_at = $2 WHERE request_id = $1",
            UUID(held["request_id"]),
            datetime(2026, 3, 10, tzinfo=UTC),
        )
        moment = datetime(2026, 3, 10, hour, tzinfo=UTC).isoformat()
        settled = {
            "usage": {"input_tokens": 5},
            "source": "provider",
            "outcome": "complete",
            "occurred_at": moment,
        }
        answer = await billing.http.post(
            f"/internal/v1/reservations/{held['request_id']}/settle",
            json=settled,
            headers=billing.inference(),
        )
        assert answer.status_code == 200
    query = "/api/v1/billing/usage?from=2026-03-09&to=2026-03-11&group_by=day"

    async def by_day(tz):
        answer = await billing.http.get(f"{query}&tz={tz}", headers=billing.person(tenant))
        return {group["day"]: group["requests"] for group in answer.json()["data"]}

    assert await by_day("UTC") == {"2026-03-10": 3}
    assert await by_day("Europe/Berlin") == {"2026-03-10": 3}
    assert await by_day("Asia/Tokyo") == {"2026-03-10": 2, "2026-03-11": 1}
    assert await by_day("America/New_York") == {"2026-03-09": 1, "2026-03-10": 2}


async def test_the_first_days_of_the_calendar_are_days_too(billing, tenant):
    answer = await billing.http.get("/api/v1/billing/usage?to=0001-01-05", headers=billing.person(tenant))
    assert (answer.status_code, answer.json()["total"]["requests"]) == (200, 0)


@pytest.mark.parametrize(
    "tz", ["Mars/Olympus", "../../etc/passwd", "", "UTC%00", "localtime", "right/Europe/Berlin"]
)
async def test_an_unknown_time_zone_is_refused(billing, tenant, tz):
    answer = await billing.http.get(f"/api/v1/billing/usage?tz={tz}", headers=billing.person(tenant))
    assert answer.status_code == 422
