"""Every refusal of a caller or of input says what is wrong and what to do."""

import json
import socket
from typing import Any

import openai
import pytest
from identities import make_principal
from suite.people import Person, client
from suite.refusals import ECHO, as_problem, ask, completion, in_openais_envelope
from suite.stack import Stack

pytestmark = pytest.mark.e2e


# Identity


@pytest.mark.parametrize(
    "credential", ["", "Bearer", "Bearer nonsense", "Basic dTpw", "Bearer atr-nosuchkey", "Bearer a.b.c"]
)
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
        assert (
            http.get("/api/v1/billing/wallets", headers={"authorization": service_token}).status_code == 401
        )


def test_a_token_signed_with_no_algorithm_is_refused(stack: Stack, person: Person) -> None:
    _head, payload, _signature = person.token.split(".")
    unsigned = f"eyJhbGciOiJub25lIiwia2lkIjoidXNlci0xIiwidHlwIjoiSldUIn0.{payload}."
    for base_url, path in (
        (stack.gateway_url, "/api/v1/chats"),
        (stack.url("chat-service"), "/api/v1/chats"),
    ):
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
def test_a_path_two_readers_could_read_differently_is_rejected(
    stack: Stack, person: Person, path: str
) -> None:
    assert raw_request(stack, path, person.token).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "path", ["/internal/v1/reservations", "//internal/v1/reservations", "/metrics", "//metrics", "/internal"]
)
def test_the_inside_is_not_there_from_outside(stack: Stack, admin: Person, path: str) -> None:
    assert raw_request(stack, path, admin.token).startswith(b"HTTP/1.1 404")


def raw_request(stack: Stack, path: str, token: str) -> bytes:
    """The head of the answer to a GET of exactly these bytes; clients would normalise the path."""
    host, _, port = stack.gateway_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        request = (
            f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {token}\r\nconnection: "
            "close\r\n\r\n"
        )
        connection.sendall(request.encode())
        return connection.recv(4096)


def test_another_host_name_is_not_answered(stack: Stack) -> None:
    with client(stack.gateway_url) as http:
        assert http.get("/api/v1/auth/config", headers={"host": "evil.example"}).status_code in {
            400,
            403,
            421,
        }


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
    answer = person.http.post(
        "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    in_openais_envelope(answer)


def test_the_official_client_raises_its_own_errors(person: Person) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        person.openai().chat.completions.create(
            model="no-such-model", messages=[{"role": "user", "content": "x"}]
        )
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
