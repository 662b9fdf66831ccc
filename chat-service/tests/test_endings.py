"""Why a reply ended, what was thought for it, and what its model did not see: shown as it comes, and still
there after a reload.
"""

import asyncio
from typing import Any
from uuid import UUID

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _reply(user: Any, events: list[Any]) -> dict[str, Any]:
    asked = events[0].data
    return await user.message(asked["message"]["chat_id"], asked["reply_id"])


@pytest.mark.parametrize("word", ["half \ud800", "nul\x00"])
async def test_a_reason_that_no_text_can_hold_ends_the_reply_all_the_same(
    user: Any, suite: Any, play: Any, word: str
) -> None:
    suite.default = play.says("so far", reason=word)
    events = await asyncio.wait_for(user.say(await user.new_chat()), 20)
    message = await _reply(user, events)
    assert (message["status"], message["content"]) == ("complete", "so far")
    assert message["finish_reason"] == {"half \ud800": "half \ufffd", "nul\x00": "nul"}[word]


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_why_the_provider_ended_is_shown_and_stored(
    user: Any, suite: Any, play: Any, reason: str
) -> None:
    suite.default = play.says("so far", reason=reason)
    events = await user.say(await user.new_chat())
    assert events[-1].data == {"status": "complete", "finish_reason": reason}
    message = await _reply(user, events)
    assert (message["status"], message["finish_reason"], message["content"]) == ("complete", reason, "so far")


async def test_a_reply_cut_by_its_length_goes_on_in_the_same_message(
    user: Any, suite: Any, play: Any
) -> None:
    suite.plans += [play.says("one two", reason="length"), play.says(" three")]
    chat = await user.new_chat()
    events = await user.say(chat)
    reply = events[0].data["reply_id"]
    more = await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue")
    assert play.text_of(events + more) == "one two three"
    message = await user.message(chat, reply)
    assert (message["content"], message["status"], message["finish_reason"]) == (
        "one two three",
        "complete",
        "stop",
    )
    again = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/continue")
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_continue")


async def test_a_reply_longer_than_the_window_is_continued_from_its_end(
    start: Any, suite: Any, play: Any
) -> None:
    suite.contexts = {"small": 2048}
    user = (await start()).user()
    chat = await user.new_chat(model="small")
    suite.plans += [play.says(*[f"{n} " for n in range(3_000)], reason="length"), play.says("and on")]
    reply = (await user.say(chat, "count far"))[0].data["reply_id"]
    await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue")
    asked, said, instruction = suite.requests[-1]["messages"]
    assert (asked["role"], asked["content"], said["role"], instruction["role"]) == (
        "user",
        "count far",
        "assistant",
        "user",
    )
    assert said["content"].rstrip().endswith("2998 2999")
    assert 4_000 < len(said["content"]) <= 4_608
    assert (await user.message(chat, reply))["content"].endswith("2999 and on")


async def test_a_reply_that_has_all_it_may_have_is_not_continued(start: Any, suite: Any, play: Any) -> None:
    user = (await start(reply_content_max_bytes=1024)).user()
    suite.default = play.says("x" * 700, "y" * 700)
    chat = await user.new_chat()
    events = await user.say(chat)
    assert next(event.data["code"] for event in events if event.event == "error") == "reply_too_long"
    refused = await user.http.post(f"/api/v1/chats/{chat}/messages/{events[0].data['reply_id']}/continue")
    assert (refused.status_code, refused.json()["code"]) == (409, "reply_too_long")
    assert len(suite.requests) == 1


async def test_a_refusal_is_the_content(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.deltas(
        {"role": "assistant", "content": None}, {"refusal": "I will not"}, {"refusal": " say that."}
    )
    events = await user.say(await user.new_chat())
    assert play.text_of(events) == "I will not say that."
    message = await _reply(user, events)
    assert (message["content"], message["finish_reason"], message["status"]) == (
        "I will not say that.",
        "refusal",
        "complete",
    )


async def test_a_reply_that_only_thinks_says_so(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.deltas({"reasoning_content": "Let me"}, {"reasoning_content": " see."})
    events = await user.say(await user.new_chat())
    assert events[-1].data["finish_reason"] == "reasoning_only"
    message = await _reply(user, events)
    assert (message["content"], message["reasoning"], message["finish_reason"]) == (
        "",
        "Let me see.",
        "reasoning_only",
    )


async def test_a_choice_that_ends_with_an_error_has_failed(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says("half an", reason="error")
    events = await user.say(await user.new_chat())
    message = await _reply(user, events)
    assert (message["status"], message["content"]) == ("failed", "half an")
    assert message["error"] is not None


async def test_reasoning_is_kept_and_comes_again_when_a_reader_begins_again(
    start: Any, user: Any, suite: Any, play: Any
) -> None:
    suite.default = play.deltas({"reasoning_content": "because"}, {"content": "thus"})
    events = await user.say(await user.new_chat())
    message = await _reply(user, events)
    assert (message["content"], message["reasoning"]) == ("thus", "because")
    replay = await user.resume(message["chat_id"], message["id"], 5_000)
    assert [event.event for event in replay] == ["reset", "reasoning", "usage", "done"]
    assert replay[1].data["text"] == "because"
    assert replay[-1].data == {"status": "complete", "finish_reason": "stop"}


async def test_reasoning_adds_up_over_the_turns_of_a_reply_and_is_bounded(
    user: Any, suite: Any, play: Any
) -> None:
    suite.plans += [
        play.deltas({"reasoning_content": "a" * 50_000}, {"content": "x"}, reason="length"),
        play.deltas({"reasoning_content": "b" * 50_000}, {"content": "y"}),
    ]
    chat = await user.new_chat()
    reply = (await user.say(chat))[0].data["reply_id"]
    await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue")
    message = await user.message(chat, reply)
    assert message["content"] == "xy"
    assert message["reasoning"] == "a" * 50_000 + "b" * 10_000


async def test_a_stopped_reply_keeps_what_was_thought(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.deltas({"reasoning_content": "hm"}, {"content": "so"}, until=asyncio.Event())
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 3))[0].data["reply_id"]
        stopped = (await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")).json()
    assert (stopped["status"], stopped["content"], stopped["reasoning"], stopped["finish_reason"]) == (
        "stopped",
        "so",
        "hm",
        None,
    )


async def test_what_no_longer_fits_the_model_is_an_event_and_stored(
    start: Any, suite: Any, play: Any
) -> None:
    suite.contexts = {"small": 2048}
    user = (await start()).user()
    chat = await user.new_chat(model="small")
    said = "word " * 300  # 1,500 bytes; the prompt of a window of 2,048 tokens has 4,608
    for _ in range(4):
        events = await user.say(chat, said)
    assert [event.event for event in events[:2]] == ["message", "left_out"]
    sent = len(suite.requests[-1]["messages"])
    assert events[1].data == {"messages": 7 - sent, "passages": 0, "window_tokens": 2048}
    assert (await _reply(user, events))["left_out"] == events[1].data
    assert (await _reply(user, await user.say(await user.new_chat(model="small"))))["left_out"] is None


async def test_what_was_left_out_is_counted_in_a_chat_of_before_its_messages_were(
    start: Any, suite: Any, admin: Any
) -> None:
    suite.contexts = {"small": 2048}
    user = (await start()).user()
    chat = await user.new_chat(model="small")
    said = "word " * 300
    for _ in range(3):
        await user.say(chat, said)
    await admin.execute("UPDATE chat.message SET depth = NULL WHERE chat_id = $1", UUID(chat))
    events = await user.say(chat, said)
    assert events[1].data["messages"] == 7 - len(suite.requests[-1]["messages"])


async def test_a_model_with_a_large_window_sees_it_all(start: Any, suite: Any, play: Any) -> None:
    suite.contexts = {"large": 200_000}
    user = (await start()).user()
    chat = await user.new_chat(model="large")
    for _ in range(70):
        events = await user.say(chat, "word " * 600)  # 3,000 bytes: 210 kB in all
    assert [event.event for event in events if event.event == "left_out"] == []
    assert len(suite.requests[-1]["messages"]) == 139
