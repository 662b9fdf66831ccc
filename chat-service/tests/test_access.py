"""Who may touch what: the same 404 for what is not there and what is another's."""

from typing import Any
from uuid import uuid4

import pytest
from identities import make_principal
from shared.auth.permissions import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT_ROUTES = [
    ("GET", "/api/v1/chats/{chat}", None),
    ("PATCH", "/api/v1/chats/{chat}", {"title": "mine now"}),
    ("DELETE", "/api/v1/chats/{chat}", None),
    ("GET", "/api/v1/chats/{chat}/messages", None),
    ("POST", "/api/v1/chats/{chat}/messages", {"content": "hi"}),
    ("GET", "/api/v1/chats/{chat}/messages/{reply}", None),
    ("GET", "/api/v1/chats/{chat}/messages/{reply}/stream", None),
    ("POST", "/api/v1/chats/{chat}/messages/{reply}/stop", None),
    ("POST", "/api/v1/chats/{chat}/messages/{reply}/regenerate", {}),
    ("POST", "/api/v1/chats/{chat}/messages/{reply}/continue", None),
]


async def _chat_with_reply(user: Any) -> tuple[str, str]:
    chat = await user.new_chat()
    return chat, (await user.say(chat))[0].data["reply_id"]


async def test_another_persons_chat_looks_as_if_it_were_not_there(service: Any, user: Any) -> None:
    chat, reply = await _chat_with_reply(user)
    stranger = service.user()
    for method, path, body in CHAT_ROUTES:
        url = path.format(chat=chat, reply=reply)
        theirs = await stranger.http.request(method, url, json=body)
        missing = await stranger.http.request(method, path.format(chat=uuid4(), reply=reply), json=body)
        assert (theirs.status_code, theirs.json()["code"]) == (404, "chat_not_found"), (method, path)
        assert (missing.status_code, missing.json()["detail"]) == (404, theirs.json()["detail"])
    assert (await user.http.get(f"/api/v1/chats/{chat}")).json()["title"] == "hi"
    assert (await stranger.http.get("/api/v1/chats")).json()["data"] == []


async def test_an_admin_does_not_see_others_chats(service: Any, user: Any) -> None:
    chat, _ = await _chat_with_reply(user)
    admin = service.user(make_principal(Role.ADMIN))
    assert (await admin.http.get(f"/api/v1/chats/{chat}")).status_code == 404


async def test_a_message_of_another_chat_is_not_found_even_when_it_is_ones_own(user: Any) -> None:
    chat, _ = await _chat_with_reply(user)
    _, other_reply = await _chat_with_reply(user)
    for method, path, body in CHAT_ROUTES[5:]:
        answer = await user.http.request(method, path.format(chat=chat, reply=other_reply), json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "message_not_found"), path


async def test_a_parent_of_another_chat_is_not_found(service: Any, user: Any) -> None:
    chat, _ = await _chat_with_reply(user)
    _, foreign = await _chat_with_reply(service.user())
    for parent in (foreign, str(uuid4())):
        answer = await user.http.post(
            f"/api/v1/chats/{chat}/messages", json={"content": "x", "parent_id": parent}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "parent_not_found")
    answer = await user.http.patch(f"/api/v1/chats/{chat}", json={"current_message_id": foreign})
    assert answer.status_code == 404


async def test_an_idempotency_key_of_another_person_means_nothing(service: Any, user: Any) -> None:
    key = {"Idempotency-Key": "shared-by-chance"}
    stranger = service.user()
    mine = (await user.http.post("/api/v1/chats", json={}, headers=key)).json()["id"]
    again = (await user.http.post("/api/v1/chats", json={}, headers=key)).json()["id"]
    theirs = (await stranger.http.post("/api/v1/chats", json={}, headers=key)).json()["id"]
    assert mine == again != theirs


@pytest.mark.parametrize("role", [Role.PENDING, Role.ADMIN_READONLY])
async def test_a_role_without_chats_is_refused(service: Any, role: Role) -> None:
    person = service.user(make_principal(role))
    for method, path, body in (("GET", "/api/v1/chats", None), ("POST", "/api/v1/chats", {})):
        assert (await person.http.request(method, path, json=body)).status_code == 403


async def test_without_a_token_nothing_answers(service: Any) -> None:
    anonymous = service.user()
    del anonymous.http.headers["authorization"]
    for method, path, body in (("GET", "/api/v1/chats", None), *CHAT_ROUTES):
        answer = await anonymous.http.request(method, path.format(chat=uuid4(), reply=uuid4()), json=body)
        assert answer.status_code == 401, path


async def test_bad_input_is_refused_with_what_is_wrong(start: Any) -> None:
    user = (await start(message_content_max_bytes=10)).user()
    chat = await user.new_chat()
    url = f"/api/v1/chats/{chat}/messages"
    assert (await user.http.post(url, json={"content": "é" * 6})).status_code == 413
    bad: list[Any] = [
        {},
        {"content": ""},
        {"content": "x", "parent_id": "x"},
        {"content": "x", "temperature": 9},
        {"content": "x", "a": 1},
    ]
    for body in bad:
        answer = await user.http.post(url, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body
    for path in ("?limit=0", "?limit=101", "?before=x"):
        assert (await user.http.get(url + path)).status_code == 422
    assert (await user.http.patch(f"/api/v1/chats/{chat}", json={"title": "a\x00b"})).status_code == 422
