"""The message tree: edit, regenerate, branches, pages."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _ask(user: Any, chat: str, content: str, **body: Any) -> tuple[str, str]:
    events = await user.say(chat, content, **body)
    return events[0].data["message"]["id"], events[0].data["reply_id"]


async def test_an_edit_is_a_sibling_and_becomes_the_branch(user: Any) -> None:
    chat = await user.new_chat()
    _, first_reply = await _ask(user, chat, "one")
    second, _ = await _ask(user, chat, "two")
    edited, _ = await _ask(user, chat, "two, edited", parent_id=first_reply)
    page = await user.branch(chat)
    assert [message["content"] for message in page["data"]] == [
        "one",
        "Hello there!",
        "two, edited",
        "Hello there!",
    ]
    assert page["data"][2]["sibling_ids"] == [second, edited]


async def test_an_edit_of_the_first_message_is_a_new_root(user: Any) -> None:
    chat = await user.new_chat()
    first, _ = await _ask(user, chat, "one")
    other, _ = await _ask(user, chat, "uno", parent_id=None)
    page = await user.branch(chat)
    assert [message["content"] for message in page["data"]] == ["uno", "Hello there!"]
    assert page["data"][0]["sibling_ids"] == [first, other]
    assert page["has_more"] is False


async def test_regenerate_makes_a_sibling_reply_with_the_chosen_model(
    user: Any, suite: Any, play: Any
) -> None:
    chat = await user.new_chat(model="m-1")
    question, reply = await _ask(user, chat, "one")
    suite.default = play.says("Better")
    events = await user.collect(
        "POST", f"/api/v1/chats/{chat}/messages/{reply}/regenerate", json={"model": "m-2"}
    )
    assert events[0].data["message"]["id"] == question
    page = await user.branch(chat)
    assert [message["content"] for message in page["data"]] == ["one", "Better"]
    assert page["data"][1]["sibling_ids"] == [reply, events[0].data["reply_id"]]
    assert page["data"][1]["model"] == "m-2"
    assert suite.requests[-1]["messages"] == [{"role": "user", "content": "one"}]


async def test_switching_to_a_message_shows_the_newest_leaf_below_it(user: Any) -> None:
    chat = await user.new_chat()
    first, first_reply = await _ask(user, chat, "one")
    _, deep_reply = await _ask(user, chat, "two")
    await _ask(user, chat, "uno", parent_id=None)
    answer = await user.http.patch(f"/api/v1/chats/{chat}", json={"current_message_id": first})
    assert answer.json()["current_message_id"] == deep_reply
    assert [message["content"] for message in (await user.branch(chat))["data"]][::2] == ["one", "two"]
    assert first_reply != deep_reply


async def test_the_branch_is_read_in_pages_from_the_leaf_up(user: Any) -> None:
    chat = await user.new_chat()
    for n in range(4):
        await _ask(user, chat, f"q{n}")
    last = await user.branch(chat, limit=3)
    assert [message["role"] for message in last["data"]] == ["assistant", "user", "assistant"]
    assert last["has_more"] is True
    before = await user.branch(chat, limit=3, before=last["data"][0]["id"])
    assert [message["content"] for message in before["data"]] == ["q1", "Hello there!", "q2"]
    top = await user.branch(chat, limit=3, before=before["data"][0]["id"])
    assert [message["content"] for message in top["data"]] == ["q0", "Hello there!"]
    assert top["has_more"] is False


async def test_a_message_cannot_follow_a_persons_message(user: Any) -> None:
    chat = await user.new_chat()
    question, _ = await _ask(user, chat, "one")
    answer = await user.http.post(
        f"/api/v1/chats/{chat}/messages", json={"content": "x", "parent_id": question}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "parent_not_reply")


async def test_versions_of_a_message_are_bounded(start: Any) -> None:
    user = (await start(siblings_max=3)).user()
    chat = await user.new_chat()
    for _ in range(3):
        await _ask(user, chat, "x", parent_id=None)
    answer = await user.http.post(f"/api/v1/chats/{chat}/messages", json={"content": "x", "parent_id": None})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_versions")


async def test_only_replies_are_regenerated_stopped_continued_or_streamed(user: Any) -> None:
    chat = await user.new_chat()
    question, _ = await _ask(user, chat, "one")
    base = f"/api/v1/chats/{chat}/messages/{question}"
    answers = [await user.http.post(f"{base}/{verb}") for verb in ("regenerate", "stop", "continue")]
    answers.append(await user.http.get(f"{base}/stream"))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "not_a_reply")}
