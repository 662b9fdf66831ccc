"""Every refusal says what is wrong and what to do, costs nothing, and leaves no hold behind."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from identities import make_principal
from suite.people import Person, client
from suite.provider import Provider
from suite.stack import PROVIDER_KEYS, Ledger, Stack, set_prices
from suite.waiting import until

pytestmark = pytest.mark.e2e

ECHO = "fake-echo"


def completion(content: str = "hello", model: str = ECHO, **members: Any) -> dict[str, Any]:
    """A request body."""
    return {"model": model, "messages": [{"role": "user", "content": content}], **members}


def ask(person: Person, body: dict[str, Any], **headers: str) -> httpx.Response:
    """One completion."""
    return person.http.post("/v1/chat/completions", json=body, headers=headers)


def in_openais_envelope(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer under /v1, which must have OpenAI's shape and name the request."""
    error: dict[str, Any] = answer.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys()
    assert answer.headers["x-request-id"]
    return error


def as_problem(answer: httpx.Response) -> dict[str, Any]:
    """The body of a REST refusal, which must be problem+json."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= problem.keys()
    assert problem["status"] == answer.status_code
    return problem


# Identity


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer nonsense", "Basic dTpw", "Bearer atr-nosuchkey", "Bearer a.b.c"])
def test_a_bad_credential_is_401(stack: Stack, credential: str) -> None:
    with client(stack.gateway_url) as http:
        headers = {"authorization": credential} if credential else {}
        assert as_problem(http.get("/api/v1/chats", headers=headers))["status"] == 401
        assert in_openais_envelope(http.get("/v1/models", headers=headers))["type"] == "authentication_error"


def test_a_token_made_for_the_inside_hop_is_refused_at_the_gateway(stack: Stack, person: Person) -> None:
    principal = make_principal(via_gateway=True)
    with client(stack.gateway_url) as http:
        assert http.get("/api/v1/chats", headers=stack.user_headers(principal)).status_code == 401
        service_token = stack.service_tokens("inference-service").header_for("billing-service").decode()
        assert http.get("/api/v1/billing/wallets", headers={"authorization": service_token}).status_code == 401


def test_a_token_signed_with_no_algorithm_is_refused(stack: Stack, person: Person) -> None:
    _head, payload, _signature = person.token.split(".")
    unsigned = f"eyJhbGciOiJub25lIiwia2lkIjoidXNlci0xIiwidHlwIjoiSldUIn0.{payload}."
    for base_url, path in ((stack.gateway_url, "/api/v1/chats"), (stack.url("chat-service"), "/api/v1/chats")):
        with client(base_url, authorization=f"Bearer {unsigned}") as http:
            assert http.get(path).status_code == 401


def test_identity_headers_of_a_caller_are_not_believed(stack: Stack, person: Person, admin: Person) -> None:
    spoofed = {
        "x-atrium-user-id": admin.id,
        "x-atrium-role": "admin",
        "x-user-id": admin.id,
        "x-forwarded-user": admin.email,
        "x-forwarded-for": "10.0.0.1",
        "x-remote-user": admin.email,
    }
    for path in ("/api/v1/auth/me", "/api/v1/agents/me"):
        found = person.http.get(path, headers=spoofed).json()
        assert found.get("id", found.get("user_id")) == person.id
    assert person.http.get("/api/v1/billing/wallets", headers=spoofed).status_code == 403
    with client(stack.gateway_url) as http:
        assert http.get("/api/v1/chats", headers=spoofed).status_code == 401


def test_connection_headers_cannot_strip_the_identity_from_the_hop(person: Person) -> None:
    answer = person.http.get("/api/v1/agents/me", headers={"connection": "authorization, x-request-id"})
    assert answer.status_code == 200
    assert answer.json()["user_id"] == person.id


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/chats%2f..%2fbilling/wallets",
        "/api/v1/chats/../billing/wallets",
        "/api/v1/chats/%2e%2e/billing/wallets",
        "/v1/..%5cinternal/v1/reservations",
        "/api/v1/chats/%00",
        "/v1/models;/../../internal/v1/reservations",
    ],
)
def test_a_path_two_readers_could_read_differently_is_rejected(stack: Stack, person: Person, path: str) -> None:
    assert raw_request(stack, path, person.token).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("path", ["/internal/v1/reservations", "//internal/v1/reservations", "/metrics", "//metrics", "/internal"])
def test_the_inside_is_not_there_from_outside(stack: Stack, admin: Person, path: str) -> None:
    assert raw_request(stack, path, admin.token).startswith(b"HTTP/1.1 404")


def raw_request(stack: Stack, path: str, token: str) -> bytes:
    """The head of the answer to a GET of exactly these bytes; clients would normalise the path."""
    host, _, port = stack.gateway_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        request = f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return connection.recv(4096)


def test_another_host_name_is_not_answered(stack: Stack) -> None:
    with client(stack.gateway_url) as http:
        assert http.get("/api/v1/auth/config", headers={"host": "evil.example"}).status_code in {400, 403, 421}


# Input


@pytest.mark.parametrize("body", [{"title": ""}, {"title": 5}, {"nonsense": True}, [], "text"])
def test_bad_rest_input_is_422_and_names_the_field(person: Person, body: Any) -> None:
    problem = as_problem(person.http.post("/api/v1/chats", json=body))
    assert problem["status"] == 422
    assert problem["errors"][0]["field"].startswith("body")


def test_ids_that_are_none_are_not_found_or_invalid(person: Person) -> None:
    assert person.http.get("/api/v1/chats/not-an-id").status_code in {404, 422}
    assert person.http.get("/api/v1/chats", params={"limit": 1000}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": ECHO},
        {"model": ECHO, "messages": []},
        {"model": ECHO, "messages": "hello"},
        completion(max_tokens=-1),
        completion(n=100_000),
        completion(stream="yes"),
        {"model": 7, "messages": [{"role": "user", "content": "x"}]},
    ],
)
def test_bad_input_under_v1_is_400_in_openais_envelope(person: Person, body: Any) -> None:
    answer = person.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert in_openais_envelope(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"{", b"[1,2", b"\xff\xfe", b""])
def test_a_body_that_is_no_json_is_400_under_v1(person: Person, body: bytes) -> None:
    answer = person.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    in_openais_envelope(answer)


def test_the_official_client_raises_its_own_errors(person: Person) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        person.openai().chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        person.openai().chat.completions.create(model=ECHO, messages=[])
    with pytest.raises(openai.AuthenticationError):
        person.openai("atr-wrong").models.list()


def test_an_embedding_model_does_not_chat(person: Person) -> None:
    answer = ask(person, completion(model="all-minilm-l6-v2"))
    assert answer.status_code == 400
    assert in_openais_envelope(answer)["param"] == "model"


def test_an_unknown_model_in_a_chat_is_told_where_the_reply_would_be(person: Person) -> None:
    turn = person.chat("no-such-model").post("hello")
    assert turn.status == "failed"
    assert turn.error["code"] == "model_not_found"


def test_a_body_above_the_limit_is_413(stack: Stack, person: Person) -> None:
    large = json.dumps(completion("x" * stack.body_bytes_max)).encode()
    headers = {"content-type": "application/json"}
    declared = person.http.post("/v1/chat/completions", content=large, headers=headers)
    assert declared.status_code == 413
    in_openais_envelope(declared)

    def pieces() -> Any:
        yield from (large[start : start + 65536] for start in range(0, len(large), 65536))

    assert person.http.post("/v1/chat/completions", content=pieces(), headers=headers).status_code == 413
    assert as_problem(person.http.post("/api/v1/chats", content=large, headers=headers))["status"] == 413


def test_a_message_above_the_limit_is_refused_before_anything_is_stored(person: Person) -> None:
    chat = person.chat(ECHO)
    answer = person.http.post(f"{chat.path}/messages", json={"content": "x" * 300_000})
    assert answer.status_code in {413, 422}
    assert chat.messages() == []


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


def test_a_wallet_that_cannot_pay_is_402_and_says_what_is_there(admin: Person, person: Person, ledger: Ledger) -> None:
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
    with httpx.Client(trust_env=False, event_hooks={"request": [sent.append]}) as transport:
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
        person.openai(made["key"]).chat.completions.create(model=ECHO, messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "budget_exceeded"


def test_an_answer_is_clamped_to_what_the_budget_buys(admin: Person, person: Person) -> None:
    limit = {"scope": "user", "scope_id": person.id, "window": "month", "limit": "0.00025"}  # 250,000 nano: at most 83 tokens
    assert admin.http.put("/api/v1/billing/budgets", json=limit).status_code == 200
    answer = ask(person, completion("!tokens=500"))
    assert answer.status_code == 200
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert 16 <= answer.json()["usage"]["completion_tokens"] <= 83
    assert person.usage_total()["cost_nano"] <= 250_000


def test_the_charge_never_exceeds_the_hold(person: Person, ledger: Ledger) -> None:
    answer = ask(person, completion("one two", model=ECHO, max_tokens=20) | {"messages": [{"role": "user", "content": "!over one"}]})
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
        refused = [http.post("/v1/chat/completions", json=completion(model=stack.unpriced_model)).status_code for _ in range(6)]
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
    """Each way a provider fails, asked for at the same time because some take seconds, each by a person of its own."""

    def one(directive: str) -> tuple[httpx.Response, Person]:
        someone = Person.sign_up(stack.gateway_url)
        return ask(someone, completion(f"one two {directive}")), someone

    with ThreadPoolExecutor(max_workers=len(FAILURES)) as crowd:
        return dict(zip(FAILURES, crowd.map(one, FAILURES), strict=True))


@pytest.mark.parametrize("directive", FAILURES)
def test_a_provider_that_fails_gives_a_clear_error(failed: dict[str, tuple[httpx.Response, Person]], directive: str) -> None:
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
def test_a_stream_that_breaks_ends_with_an_error_event(person: Person, ledger: Ledger, directive: str) -> None:
    content = f"one two three four five six {directive}"
    with person.http.stream("POST", "/v1/chat/completions", json=completion(content, stream=True)) as response:
        assert response.status_code == 200
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    errors = [json.loads(event)["error"] for event in events if event.startswith("{") and "error" in json.loads(event)]
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


def test_a_provider_that_is_down_gives_503_and_the_hold_back(stack: Stack, person: Person, ledger: Ledger) -> None:
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
    until(lambda: ask(person, completion(model=model)).status_code == 200, within_s=15, what="the provider to be used again")
