"""What the services answer is what the shared models say, member by member."""

from typing import Any

import pytest
from pydantic import BaseModel
from shared.contracts.chat import Chat, Message
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e


def conforms(model: type[BaseModel], answer: dict[str, Any]) -> None:
    """The answer is valid and has no member that the contract does not know."""
    model.model_validate(answer)
    assert answer.keys() <= model.model_fields.keys()
    assert {name for name, field in model.model_fields.items() if field.is_required()} <= answer.keys()


def test_chats_and_messages_are_those_of_the_contract(person: Person, stack: Stack) -> None:
    chat = person.chat("fake-echo")
    chat.post("hello")
    failed = person.chat(stack.unpriced_model)
    failed.post("hello")
    conforms(Chat, person.get(chat.path))
    for message in chat.messages() + failed.messages():
        conforms(Message, message)


@pytest.mark.parametrize(
    "path", ["/api/v1/chats", "/api/v1/auth/api-keys", "/api/v1/billing/prices", "/api/v1/inference/models"]
)
def test_lists_have_one_shape(person: Person, path: str) -> None:
    answer = person.get(path)
    assert answer["object"] == "list"
    assert isinstance(answer["data"], list)
    assert answer["has_more"] in {True, False}
    assert answer["last_id"] is None or isinstance(answer["last_id"], str)


def test_lists_are_paged_by_the_last_id(person: Person) -> None:
    made = [person.chat("fake-echo").id for _ in range(3)]
    first = person.get("/api/v1/chats", limit=2)
    rest = person.get("/api/v1/chats", limit=2, after=first["last_id"])
    assert [chat["id"] for chat in first["data"] + rest["data"]] == made[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_every_answer_carries_the_request_id_of_its_caller(person: Person) -> None:
    for path in ("/api/v1/chats", "/v1/models", "/api/v1/auth/me", "/api/v1/billing/entitlements"):
        answer = person.http.get(path, headers={"x-request-id": "my-own-request-0001"})
        assert answer.headers["x-request-id"] == "my-own-request-0001"


def test_times_are_utc_and_money_is_exact_text(person: Person) -> None:
    person.chat("fake-echo").post("hello")
    entitlements = person.entitlements()
    nano = entitlements["wallet"]["balance_nano"]
    assert entitlements["wallet"]["balance"]["amount"] == f"{nano // 10**9}.{nano % 10**9:09d}"
    assert person.get("/api/v1/chats")["data"][0]["created_at"].endswith(("Z", "+00:00"))


def test_status_names_every_service(person: Person) -> None:
    def all_well() -> dict[str, Any]:
        status: dict[str, Any] = person.get("/api/v1/status")
        return status if status["status"] == "ok" else {}

    status = until(all_well, within_s=30, what="an answer of all services in time")
    names = {
        "gateway",
        "inference-service",
        "agent-service",
        "retrieval-service",
        "chat-service",
        "billing-service",
    }
    assert names - {"gateway"} <= status["services"].keys()
    assert all(service["status"] == "ok" for service in status["services"].values())


def test_the_gateway_describes_the_public_routes_of_all_services(person: Person) -> None:
    expected = {
        "/api/v1/chats",
        "/v1/chat/completions",
        "/api/v1/billing/entitlements",
        "/api/v1/auth/signin",
    }

    def described() -> dict[str, Any]:
        """The paths, once no service was too busy to tell its own."""
        paths: dict[str, Any] = person.get("/api/v1/openapi.json")["paths"]
        return paths if expected <= paths.keys() else {}

    paths = until(described, within_s=60, what="routes of all services")
    assert not [path for path in paths if path.startswith("/internal")]
