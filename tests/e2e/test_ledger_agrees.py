"""The ledger agrees to the nano-dollar with what the replies reported, whatever way they were asked for and
however they ended.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from suite.events import Turn
from suite.people import Person
from suite.provider import Provider
from suite.stack import Ledger, Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e


def spend_in_every_way(person: Person, marker: str) -> list[int]:
    """Asks in each way there is; the costs the replies reported, in nano-USD."""
    costs: list[int] = []
    messages: Any = [{"role": "user", "content": f"{marker} one two three"}]
    sdk, by_key = person.openai(), person.openai(person.make_key()["key"])
    for caller in (sdk, by_key):
        raw = caller.chat.completions.with_raw_response.create(model="fake-echo", messages=messages)
        costs.append(int(raw.headers["x-atrium-cost-nano"]))
        chunks = list(
            caller.chat.completions.create(
                model="fake-echo", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        )
        assert chunks[-1].usage is not None
        costs.append(int((chunks[-1].usage.model_extra or {})["cost_nano"]))
    raw_vectors = sdk.embeddings.with_raw_response.create(model="fake-embed", input=[marker, "two words"])
    costs.append(int(raw_vectors.headers["x-atrium-cost-nano"]))
    chat = person.chat("fake-echo")
    first = chat.post(f"{marker} hello")
    costs.append(first.usage["cost_nano"])
    costs.append(chat.turn_of(f"/messages/{first.reply_id}/regenerate").usage["cost_nano"])
    with chat.begin(f"{marker} !slow !tokens=200 !delay_ms=40") as running:
        running.until("delta", 3)
        chat.stop(running.reply_id)
        stopped = Turn.of(running.rest())
    costs.append(
        until(
            lambda: cost_of(chat.message(stopped.reply_id)), within_s=10, what="the cost of the stopped reply"
        )
    )
    return costs


def cost_of(message: dict[str, Any]) -> int:
    """What a message says it cost; 0 while that is not known."""
    return int((message["usage"] or {}).get("cost_nano") or 0)


def refuse_in_some_ways(person: Person, marker: str) -> int:
    """Failures of the provider: dispatched, and not to be paid for. Gives how many."""
    for directive in ("!500", "!429", "!401"):
        with pytest.raises(openai.APIStatusError):
            person.openai().chat.completions.create(
                model="fake-echo", messages=[{"role": "user", "content": f"{marker} {directive}"}]
            )
    return 3


def test_replies_usage_ledger_and_dispatches_agree(
    person: Person, provider: Provider, ledger: Ledger
) -> None:
    marker = provider.marker()
    costs = spend_in_every_way(person, marker)
    failures = refuse_in_some_ways(person, marker)
    total = person.usage_settles_at(sum(costs))

    assert ledger.charged_nano(person.id) == sum(costs)
    events = person.get("/api/v1/billing/usage/events", limit=100)["data"]
    assert sorted(event["cost_nano"] for event in events if event["cost_nano"]) == sorted(costs)
    holds = ledger.holds(person.id)
    assert len(provider.requests_with(marker)) == len(holds) == len(costs) + failures
    charged = [hold for hold in holds if hold["cost_nano"]]
    assert len(charged) == len(costs) <= total["requests"]
    assert ledger.assert_charged_once_each(person.id) == sum(costs)


def test_many_people_at_once_leave_balanced_books(stack: Stack, ledger: Ledger) -> None:
    people = [Person.sign_up(stack.gateway_url) for _ in range(6)]

    def ask_often(person: Person) -> int:
        raw = person.openai().chat.completions.with_raw_response
        costs = [
            int(
                raw.create(model="fake-echo", messages=[{"role": "user", "content": f"w{number}"}]).headers[
                    "x-atrium-cost-nano"
                ]
            )
            for number in range(10)
        ]
        return sum(costs)

    with ThreadPoolExecutor(max_workers=len(people)) as crowd:
        spent = list(crowd.map(ask_often, people))
    assert [ledger.charged_nano(person.id) for person in people] == spent
    assert ledger.imbalances() == []


def test_the_organisations_wallet_is_what_came_in_less_what_was_charged(
    admin: Person, ledger: Ledger
) -> None:
    organisation = admin.user["organisation_id"]

    def books_agree() -> bool:
        (row,) = ledger.rows(
            """
            SELECT sum(a.balance_nano) FILTER (WHERE a.kind = 'wallet') AS wallet,
                   sum(a.balance_nano) FILTER (WHERE a.kind = 'held') AS held,
                   (SELECT coalesce(sum(CASE WHEN t.reason IN ('grant', 'top_up') THEN t.amount_nano
                                             WHEN t.reason IN ('charge', 'expire', 'late_charge')
                                             THEN -t.amount_nano
                                             WHEN t.reason = 'late_refund' THEN t.amount_nano ELSE 0 END), 0)
                    FROM billing.transfer t WHERE t.organisation_id = $1::uuid) AS net
            FROM billing.account a WHERE a.organisation_id = $1::uuid
            """,
            organisation,
        )
        return bool(row["wallet"] + row["held"] == row["net"])

    until(books_agree, within_s=5, what="wallet + held = came in - charged")
    assert ledger.imbalances() == []
