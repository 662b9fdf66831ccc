"""What people see of their spending, and what an administrator sets."""

from datetime import UTC, datetime

import pytest
from suite.people import Person

pytestmark = pytest.mark.e2e

ECHO = "fake-echo"


def ask(person: Person, content: str = "one two three", credential: str | None = None) -> int:
    """One completion; gives its cost in nano-USD."""
    raw = person.openai(credential).chat.completions.with_raw_response.create(
        model=ECHO, messages=[{"role": "user", "content": content}]
    )
    return int(raw.headers["x-atrium-cost-nano"])


def test_the_usage_page_adds_up_by_day_model_and_key(person: Person) -> None:
    made = person.make_key()
    costs = [ask(person), ask(person, "one"), ask(person, "one two", made["key"])]
    usage = person.get("/api/v1/billing/usage", group_by="day,model,key")
    assert usage["total"]["requests"] == 3
    assert usage["total"]["cost_nano"] == sum(costs) == sum(row["cost_nano"] for row in usage["data"])
    assert {row["model"] for row in usage["data"]} == {ECHO}
    assert {row["day"] for row in usage["data"]} == {datetime.now(UTC).date().isoformat()}
    (of_key,) = (row for row in usage["data"] if row["key_id"] == made["id"])
    assert of_key["cost_nano"] == costs[2]


def test_the_cost_is_also_given_as_an_exact_decimal(person: Person) -> None:
    cost_nano = ask(person)
    cost = person.usage_total()["cost"]
    assert cost["currency"] == "USD"
    assert int(cost["amount"].replace(".", "")) == cost_nano  # nine decimals
    assert len(cost["amount"].partition(".")[2]) == 9


def test_each_dispatch_is_an_event_with_the_contracts_fields(person: Person) -> None:
    cost_nano = ask(person)
    (event,) = person.get("/api/v1/billing/usage/events", limit=10)["data"]
    assert event["cost_nano"] == cost_nano
    assert event["user_id"] == person.id
    assert event["customer_id"] == person.user["organisation_id"]
    assert (event["model"], event["provider"]) == (ECHO, "openai-1")
    assert (event["tokens_input"], event["tokens_output"]) == (3, 3)
    assert {"timestamp", "cost_usd", "request_id"} <= event.keys()


def test_what_is_left_shrinks_by_exactly_the_cost(person: Person) -> None:
    ask(person)  # the first reserve makes the budget
    before = person.entitlements()
    cost_nano = ask(person)
    after = person.entitlements()
    (budget_before,) = (each for each in before["budgets"] if each["scope"] == "user")
    (budget_after,) = (each for each in after["budgets"] if each["scope"] == "user")
    assert budget_after["spent_nano"] - budget_before["spent_nano"] == cost_nano
    assert budget_before["remaining_nano"] - budget_after["remaining_nano"] == cost_nano
    assert after["remaining_nano"] <= budget_after["remaining_nano"]


def test_only_those_who_may_see_the_usage_of_all(person: Person, stranger: Person, admin: Person) -> None:
    cost_nano = ask(stranger)
    assert person.usage_total()["requests"] == 0
    refused = person.http.get("/api/v1/billing/usage", params={"scope": "organisation", "group_by": "user"})
    assert refused.status_code == 403
    everyone = admin.get("/api/v1/billing/usage", scope="organisation", group_by="user")["data"]
    assert any(row["user_id"] == stranger.id and row["cost_nano"] == cost_nano for row in everyone)


def test_an_administrator_tops_up_once_per_idempotency_key(admin: Person, person: Person) -> None:
    ask(person)  # the first reserve opens the wallet
    (wallet,) = admin.get("/api/v1/billing/wallets")["data"]
    path, headers = (
        f"/api/v1/billing/wallets/{wallet['id']}/top-ups",
        {"idempotency-key": f"test-{person.id}"},
    )
    answers = [
        admin.http.post(path, json={"amount": "1.25", "note": "test"}, headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] in ([200, 200], [201, 201])
    assert answers[0].json() == answers[1].json()
    entries = admin.get("/api/v1/billing/ledger/entries", limit=100)["data"]
    assert (
        sum(entry["reason"] == "top_up" and entry["amount_nano"] == 1_250_000_000 for entry in entries) == 1
    )
    assert person.http.post(path, json={"amount": "1.00"}).status_code == 403


def test_a_price_change_counts_from_now_on_and_never_backwards(admin: Person, person: Person) -> None:
    model = "fake-over"
    body = {"model": model, "messages": [{"role": "user", "content": "one two"}], "max_tokens": 20_000}
    before = int(person.http.post("/v1/chat/completions", json=body).headers["x-atrium-cost-nano"])
    price = {"model": model, "input_nano_per_mtok": 2_000_000_000, "output_nano_per_mtok": 6_000_000_000}
    assert admin.http.put("/api/v1/billing/prices", json=price).status_code in {200, 201}
    after = int(person.http.post("/v1/chat/completions", json=body).headers["x-atrium-cost-nano"])
    assert after == 2 * before
    assert sorted(event["cost_nano"] for event in person.get("/api/v1/billing/usage/events")["data"]) == [
        before,
        after,
    ]


@pytest.mark.parametrize(
    "path", ["/api/v1/billing/wallets", "/api/v1/billing/ledger/entries", "/api/v1/billing/budgets"]
)
def test_the_books_are_closed_to_ordinary_people(person: Person, path: str) -> None:
    assert person.http.get(path).status_code == 403
