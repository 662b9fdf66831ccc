"""Chats: the list a person sees."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _ids(user: Any, **params: Any) -> list[str]:
    page = (await user.http.get("/api/v1/chats", params=params)).json()
    return [chat["id"] for chat in page["data"]]


async def test_a_chat_can_be_made_read_renamed_and_deleted(user: Any) -> None:
    chat = await user.new_chat(title="First", model="m-1")
    read = (await user.http.get(f"/api/v1/chats/{chat}")).json()
    assert (read["title"], read["model"], read["archived"], read["current_message_id"]) == (
        "First",
        "m-1",
        False,
        None,
    )
    renamed = await user.http.patch(f"/api/v1/chats/{chat}", json={"title": "Second"})
    assert (renamed.json()["title"], renamed.json()["model"]) == ("Second", "m-1")
    await user.say(chat)
    assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204
    assert (await user.http.get(f"/api/v1/chats/{chat}")).status_code == 404


async def test_the_list_shows_latest_activity_first(user: Any) -> None:
    chats = [await user.new_chat() for _ in range(3)]
    await user.say(chats[0])
    assert await _ids(user) == [chats[0], chats[2], chats[1]]


async def test_pages_neither_repeat_nor_miss_a_chat_though_one_moves_up(user: Any) -> None:
    chats = [await user.new_chat() for _ in range(5)]
    first = (await user.http.get("/api/v1/chats", params={"limit": 2})).json()
    assert first["has_more"] is True
    await user.say(chats[3])
    second = (await user.http.get("/api/v1/chats", params={"limit": 10, "after": first["last_id"]})).json()
    assert [chat["id"] for chat in first["data"] + second["data"]] == chats[::-1]
    assert second["has_more"] is False
    assert await _ids(user, after=first["data"][0]["id"]) == chats[2::-1]


async def test_archived_chats_leave_the_list(user: Any) -> None:
    kept, put_away = await user.new_chat(), await user.new_chat()
    await user.http.patch(f"/api/v1/chats/{put_away}", json={"archived": True})
    assert (await _ids(user), await _ids(user, archived=True)) == ([kept], [put_away])


async def test_a_cursor_that_is_none_is_refused(user: Any) -> None:
    for after in ("x", "x.1", "0190a8f0-0000-7000-8000-000000000000.x"):
        assert (await user.http.get("/api/v1/chats", params={"after": after})).status_code == 422


async def test_the_event_models_are_part_of_the_openapi_document(user: Any) -> None:
    document = (await user.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert set(schemas["ChatEvent"]["discriminator"]["mapping"]) == {
        "message",
        "waiting",
        "step",
        "tool",
        "citation",
        "left_out",
        "delta",
        "reasoning",
        "usage",
        "done",
        "error",
        "reset",
    }
    post = document["paths"]["/api/v1/chats/{chat_id}/messages"]["post"]["responses"]["200"]["content"]
    assert set(post) == {"application/json", "text/event-stream"}
    stream = document["paths"]["/api/v1/chats/{chat_id}/messages/{message_id}/stream"]["get"]["responses"][
        "200"
    ]["content"]
    assert stream == {"text/event-stream": {"schema": {"$ref": "#/components/schemas/ChatEvent"}}}


@pytest.mark.parametrize(
    "name", ["search", "folders", "tags", "prompts", "shared", "import", "export", "trash"]
)
async def test_a_name_of_what_is_not_offered_is_no_chat_id(user: Any, name: str) -> None:
    for method, path in (("GET", name), ("DELETE", name), ("GET", f"{name}/messages")):
        answer = await user.http.request(method, f"/api/v1/chats/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_offered"), method
        assert name in answer.json()["detail"]


@pytest.mark.parametrize("title", ["", "   ", "\n\t", "\u2003"])
async def test_a_blank_title_is_refused(user: Any, title: str) -> None:
    chat = await user.new_chat(title="kept")
    assert (await user.http.post("/api/v1/chats", json={"title": title})).status_code == 422
    assert (await user.http.patch(f"/api/v1/chats/{chat}", json={"title": title})).status_code == 422
    assert (await user.http.get(f"/api/v1/chats/{chat}")).json()["title"] == "kept"


async def test_a_title_is_one_trimmed_line(user: Any) -> None:
    made = (await user.http.post("/api/v1/chats", json={"title": "  two\r\nlines\tand more  "})).json()
    assert made["title"] == "two lines and more"
    patched = await user.http.patch(f"/api/v1/chats/{made['id']}", json={"title": "a\nb"})
    assert patched.json()["title"] == "a b"
