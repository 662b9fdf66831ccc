"""A dispatch that money, rates or a provider refuse says what to do, costs nothing, and leaves no hold
behind.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from suite.people import Person, client
from suite.provider import Provider
from suite.refusals import ECHO, ask, completion, in_openais_envelope
from suite.stack import PROVIDER_KEYS, Ledger, Stack, set_prices
from suite.waiting import until

pytestmark = pytest.mark.e2e


# Money


def test_an_unpriced_model_is_402_and_names_the_call_that_sets_its_price_to_those_who_may(
    stack: Stack, admin: Person, person: Person, ledger: Ledger
) -> None:
    refused = ask(admin, completion(model=stack.unpriced_model))
    error = in_openais_envelope(refused)
    assert (error["action"]["method"], error["action"]["path"]) == ("PUT", "/api/v1/billing/prices")
    assert "PUT /api/v1/billing/prices" in error["message"]
    answer = ask(person, completion(model=stack.unpriced_model))
    assert answer.status_code == 402
    assert answer.headers["x-should-retry"] == "false"
    error = in_openais_envelope(answer)
    assert error["code"] == "price_unknown"
    assert error["action"]["kind"] == "ask_admin"
    assert "/api/" not in error["message"]
    assert ledger.holds(person.id) == []


def test_an_unpriced_model_in_a_chat_keeps_the_question(stack: Stack, person: Person) -> None:
    chat = person.chat(stack.unpriced_model)
    turn = chat.post("what does it cost?")
    assert turn.status == "failed"
    assert turn.error["code"] == "price_unknown"
    assert turn.error["action"]["kind"] == "ask_admin"
    question, reply = chat.messages()
    assert question["content"] == "what does it cost?"
    assert (reply["status"], reply["error"]["code"]) == ("failed", "price_unknown")


def test_a_wallet_that_cannot_pay_is_402_and_says_what_is_there(
    admin: Person, person: Person, ledger: Ledger
) -> None:
    dear = "openai-2/fake-tools"
    set_prices(admin.http, {dear: (10**15, 10**15)})
    limit = {"scope": "user", "scope_id": person.id, "window": "month", "limit": "1000000"}
    assert admin.http.put("/api/v1/billing/budgets", json=limit).status_code == 200
    answer = ask(person, completion("x" * 2000, model=dear))
    assert answer.status_code == 402
    assert answer.headers["x-should-retry"] == "false"
    error = in_openais_envelope(answer)
    assert error["code"] == "insufficient_credits"
    assert error["type"] == "insufficient_quota"
    assert error["scope"] == "wallet"
    assert error["action"]["kind"] == "ask_admin"
    assert ledger.holds(person.id) == []


def test_a_used_up_budget_is_429_and_the_official_client_does_not_retry(
    admin: Person, person: Person, provider: Provider, ledger: Ledger
) -> None:
    limit = {"scope": "user", "scope_id": person.id, "window": "month", "limit": "0.000001"}
    assert admin.http.put("/api/v1/billing/budgets", json=limit).status_code == 200
    answer = ask(person, completion())
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    error = in_openais_envelope(answer)
    assert error["code"] == "budget_exceeded"
    assert (error["scope"], error["scope_id"], error["limit_nano"]) == ("user", person.id, 1000)
    assert error["resets_at"]
    marker = provider.marker()
    sent: list[httpx.Request] = []
    with httpx.Client(timeout=60, trust_env=False, event_hooks={"request": [sent.append]}) as transport:
        official = person.openai().with_options(max_retries=5, http_client=transport)
        with pytest.raises(openai.RateLimitError):
            official.chat.completions.create(model=ECHO, messages=[{"role": "user", "content": marker}])
    assert len(sent) == 1
    assert provider.requests_with(marker) == []
    assert ledger.holds(person.id) == []


def test_a_budget_of_a_key_stops_the_key_and_not_its_owner(admin: Person, person: Person) -> None:
    made = person.make_key()
    limit = {"scope": "key", "scope_id": made["id"], "window": "day", "limit": "0"}
    assert admin.http.put("/api/v1/billing/budgets", json=limit).status_code == 200
    assert ask(person, completion()).status_code == 200
    with pytest.raises(openai.RateLimitError) as refused:
        person.openai(made["key"]).chat.completions.create(
            model=ECHO, messages=[{"role": "user", "content": "x"}]
        )
    assert refused.value.code == "budget_exceeded"


def test_an_answer_is_clamped_to_what_the_budget_buys(admin: Person, person: Person) -> None:
    limit = {
        "scope": "user",
        "scope_id": person.id,
        "window": "month",
        "limit": "0.00025",
    }  # 250,000 nano: at most 83 tokens
    assert admin.http.put("/api/v1/billing/budgets", json=limit).status_code == 200
    answer = ask(person, completion("!tokens=500"))
    assert answer.status_code == 200
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert 16 <= answer.json()["usage"]["completion_tokens"] <= 83
    assert person.usage_total()["cost_nano"] <= 250_000


def test_the_charge_never_exceeds_the_hold(person: Person, ledger: Ledger) -> None:
    answer = ask(
        person,
        completion("one two", model=ECHO, max_tokens=20)
        | {"messages": [{"role": "user", "content": "!over one"}]},
    )
    assert answer.json()["usage"]["completion_tokens"] > 1000
    (hold,) = ledger.holds(person.id)
    assert hold["cost_nano"] == hold["amount_nano"] == int(answer.headers["x-atrium-cost-nano"])
    assert hold["house_loss_nano"] > 0


# Rates


def test_a_key_above_its_rate_is_429_with_retry_after(person: Person) -> None:
    made = person.make_key(limits={"rpm": 3})
    with client(person.gateway_url, authorization=f"Bearer {made['key']}") as http:
        answers = [http.get("/v1/models") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["x-ratelimit-limit"] == "3"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert in_openais_envelope(refused)["type"] == "rate_limit_error"
    assert person.http.get("/v1/models").status_code == 200, "another credential of the same person continues"


def test_a_request_that_was_refused_costs_no_quota(stack: Stack, person: Person) -> None:
    made = person.make_key(limits={"rpm": 2})
    with client(person.gateway_url, authorization=f"Bearer {made['key']}") as http:
        refused = [
            http.post("/v1/chat/completions", json=completion(model=stack.unpriced_model)).status_code
            for _ in range(6)
        ]
        assert refused == [402] * 6
        assert http.get("/v1/models").status_code == 200
        assert http.get("/v1/models").status_code == 200
        assert http.get("/v1/models").status_code == 429


# Providers

FAILURES = {
    "!401": (502, "provider_auth_failed"),
    "!429": (429, "provider_rate_limited"),
    "!500": (502, "provider_error"),
    "!malformed": (502, "provider_error"),
    "!abort": (502, "provider_error"),
    "!stall": (504, "provider_timeout"),
    "!hang": (504, "provider_timeout"),
}


@pytest.fixture(scope="module")
def failed(stack: Stack) -> dict[str, tuple[httpx.Response, Person]]:
    """Each way a provider fails, asked for at the same time because some take seconds, each by a person of
    its own.
    """

    def one(directive: str) -> tuple[httpx.Response, Person]:
        someone = Person.sign_up(stack.gateway_url)
        return ask(someone, completion(f"one two {directive}")), someone

    with ThreadPoolExecutor(max_workers=len(FAILURES)) as crowd:
        return dict(zip(FAILURES, crowd.map(one, FAILURES), strict=True))


@pytest.mark.parametrize("directive", FAILURES)
def test_a_provider_that_fails_gives_a_clear_error(
    failed: dict[str, tuple[httpx.Response, Person]], directive: str
) -> None:
    answer, _ = failed[directive]
    status, code = FAILURES[directive]
    assert answer.status_code == status, answer.text
    error = in_openais_envelope(answer)
    assert error["code"] == code
    assert "provider" in error["message"]
    assert not any(key in answer.text for key in PROVIDER_KEYS)
    if status == 429:
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("directive", FAILURES)
def test_a_failed_dispatch_leaves_no_hold_and_is_charged_at_most_once(
    failed: dict[str, tuple[httpx.Response, Person]], ledger: Ledger, directive: str
) -> None:
    _, someone = failed[directive]
    until(lambda: not ledger.open_holds(someone.id), within_s=5, what="the hold to end")
    (hold,) = ledger.holds(someone.id)
    assert hold["state"] in {"settled", "released"}
    assert hold["cost_nano"] == ledger.charged_nano(someone.id) == someone.usage_total()["cost_nano"]
    if directive in {"!401", "!429", "!500"}:
        assert hold["cost_nano"] == 0, "a refusal of the provider is not paid for"


STREAM_FAILURES = {"!abort": "provider_error", "!malformed": "provider_error"}


@pytest.mark.parametrize("directive", STREAM_FAILURES)
def test_a_stream_that_breaks_ends_with_an_error_event(
    person: Person, ledger: Ledger, directive: str
) -> None:
    content = f"one two three four five six {directive}"
    with person.http.stream(
        "POST", "/v1/chat/completions", json=completion(content, stream=True)
    ) as response:
        assert response.status_code == 200
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    errors = [
        json.loads(event)["error"]
        for event in events
        if event.startswith("{") and "error" in json.loads(event)
    ]
    assert [error["code"] for error in errors] == [STREAM_FAILURES[directive]]
    until(lambda: not ledger.open_holds(person.id), within_s=5, what="the hold to end")
    assert len(ledger.holds(person.id)) == 1


def test_a_broken_reply_in_a_chat_keeps_what_came_and_says_why(person: Person) -> None:
    chat = person.chat(ECHO)
    turn = chat.post("one two three four five six !abort")
    assert turn.status in {"failed", "interrupted"}
    assert turn.error["code"] == "provider_error"
    reply = chat.message(turn.reply_id)
    assert reply["content"] == turn.text != ""
    assert reply["error"]["code"] == "provider_error"


def test_missing_usage_is_counted_and_charged(person: Person) -> None:
    answer = ask(person, completion("one two three !no-usage"))
    assert answer.status_code == 200
    assert int(answer.headers["x-atrium-cost-nano"]) > 0
    total = person.usage_total()
    assert total["cost_nano"] == int(answer.headers["x-atrium-cost-nano"])
    assert total["output_tokens"] >= 4


def test_a_provider_that_is_down_gives_503_and_the_hold_back(
    stack: Stack, person: Person, ledger: Ledger
) -> None:
    model = "openai-2/fake-echo"
    assert ask(person, completion(model=model)).status_code == 200
    spent = person.usage_total()["cost_nano"]
    stack.other_provider.stop()
    try:
        answer = ask(person, completion(model=model))
        assert answer.status_code in {502, 503}
        error = in_openais_envelope(answer)
        assert error["code"] == "provider_unavailable"
        assert "openai-2" in error["message"]
        until(lambda: not ledger.open_holds(person.id), within_s=5, what="the hold to be released")
        assert ledger.holds(person.id)[-1]["state"] == "released"
        assert person.usage_total()["cost_nano"] == spent
        assert ask(person, completion()).status_code == 200, "the other provider continues"
    finally:
        stack.other_provider.start()
    until(
        lambda: ask(person, completion(model=model)).status_code == 200,
        within_s=15,
        what="the provider to be used again",
    )
