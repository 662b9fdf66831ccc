"""Billing that hangs or dies: nothing runs unmetered, and what ran before is charged exactly once."""

import pytest
from suite.people import Person
from suite.provider import Provider
from suite.stack import HOLD_TTL_S, Ledger, Stack
from suite.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.e2e, pytest.mark.timeout(120)]


def test_without_billing_nothing_is_dispatched_and_a_turn_waits_until_it_is_back(
    stack: Stack, person: Person, provider: Provider, ledger: Ledger
) -> None:
    refused, waiting = provider.marker(), provider.marker()
    chat = person.chat("fake-echo")
    with stack.frozen("billing-service"):
        answer = person.http.post(
            "/v1/chat/completions",
            json={"model": "fake-echo", "messages": [{"role": "user", "content": refused}]},
        )
        assert person.get("/api/v1/chats")["data"], "chats can be read"
        assert person.http.get("/v1/models").status_code == 200
        assert person.http.get("/api/v1/auth/me").status_code == 200
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "billing_unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    turn = chat.post(waiting)
    assert (turn.status, turn.text) == ("complete", waiting)
    stack.wait_all_ready()
    assert provider.requests_with(refused) == []
    assert len(provider.requests_with(waiting)) == 1
    # A reserve that reached billing too late must be given back, not charged: its dispatch never was.
    until(lambda: not ledger.open_holds(person.id), within_s=HOLD_TTL_S + 5, what="late holds to end")
    cost_nano = turn.usage["cost_nano"]
    assert cost_nano > 0
    person.usage_settles_at(cost_nano)
    assert ledger.assert_charged_once_each(person.id) == cost_nano


def test_a_dispatch_is_settled_exactly_once_when_billing_dies_before_its_settlement(
    stack: Stack, person: Person, provider: Provider, ledger: Ledger
) -> None:
    marker = provider.marker()
    content = f"{marker} !tokens=12 !delay_ms=40"
    body = {"model": "fake-slow", "stream": True, "messages": [{"role": "user", "content": content}]}
    with person.http.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        next(line for line in lines if '"t0"' in line)
        pid = stack.kill("billing-service")
        rest = list(lines)
    assert "data: [DONE]" in rest, "the answer does not wait for billing"
    stack.wait_back("billing-service", pid)
    expected_nano = 3 * 1000 + 12 * 3000
    total = person.usage_settles_at(expected_nano, within_s=30)
    assert (total["requests"], total["output_tokens"]) == (1, 12)
    until(lambda: not ledger.open_holds(person.id), within_s=10, what="the hold to end")
    assert ledger.assert_charged_once_each(person.id) == expected_nano
    assert len(provider.requests_with(marker)) == 1
