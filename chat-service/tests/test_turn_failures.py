"""What becomes of a reply when its model refuses, is away, falls silent, breaks off or writes too much."""

import asyncio
from typing import Any

import pytest
from chat_world import reply_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_refusal_is_shown_where_the_reply_would_be(user: Any, suite: Any, play: Any) -> None:
    action = {"label": "Top up", "method": "POST", "path": "/api/v1/billing/wallets/1/top-ups"}
    body = {
        "error": {
            "message": "The wallet is empty.",
            "type": "insufficient_quota",
            "code": "insufficient_credits",
            "action": action,
        }
    }
    suite.plans.append(play.refuses(402, body))
    chat = await user.new_chat()
    events = await user.say(chat, "kept question")
    assert [event.event for event in events] == ["message", "error", "done"]
    assert events[1].data == {
        "code": "insufficient_credits",
        "detail": "The wallet is empty.",
        "status": 402,
        "action": action,
    }
    assert events[2].data["status"] == "failed"
    question, reply = (await user.branch(chat))["data"]
    assert question["content"] == "kept question"
    assert (reply["status"], reply["error"]["code"], reply["error"]["extra"]) == (
        "failed",
        "insufficient_credits",
        {"action": action},
    )


async def test_a_problem_json_refusal_keeps_its_members(user: Any, suite: Any, play: Any) -> None:
    body = {
        "type": "t",
        "title": "t",
        "status": 429,
        "detail": "Budget spent.",
        "code": "budget_exceeded",
        "resets_at": "2026-12-01",
    }
    suite.plans.append(play.refuses(429, body))
    chat = await user.new_chat()
    error = (await user.say(chat))[1]
    assert error.data == {
        "code": "budget_exceeded",
        "detail": "Budget spent.",
        "status": 429,
        "resets_at": "2026-12-01",
    }


async def test_a_model_that_loads_is_waited_for(user: Any, suite: Any, play: Any) -> None:
    progress = {"downloaded_bytes": 10, "total_bytes": 100, "eta_s": 4.5}
    body = {
        "error": {"message": "loading", "type": "server_error", "code": "model_loading", "progress": progress}
    }
    for _ in range(2):
        suite.plans.append(play.refuses(503, body, {"retry-after": "1"}))
    chat = await user.new_chat()
    events = await user.say(chat)
    assert [event.event for event in events[:2]] == ["message", "waiting"]
    assert events[1].data == {"reason": "model_loading", "progress": progress}
    assert play.text_of(events) == "Hello there!"


async def test_a_reply_that_waits_for_its_model_can_be_stopped(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.refuses(503, {"error": {"message": "loading", "code": "model_loading"}})
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = reply_id(await play.take(events, 2))
        stopped = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        assert [event async for event in events][-1].data["status"] == "stopped"
    assert (stopped.json()["status"], stopped.json()["content"]) == ("stopped", "")


async def test_a_model_that_never_loads_fails_the_reply(start: Any, suite: Any, play: Any) -> None:
    user = (await start(model_wait_max_s=0.3)).user()
    suite.default = play.refuses(503, {"error": {"message": "loading", "code": "model_loading"}})
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("model_loading", "failed")


async def test_a_silent_provider_fails_the_reply_and_its_text_is_kept(
    start: Any, suite: Any, play: Any
) -> None:
    user = (await start(provider_idle_timeout_s=0.3)).user()
    suite.default = play.says("so far", until=asyncio.Event())
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("model_timeout", "failed")
    assert (await user.message(chat, reply_id(events)))["content"] == "so far"


async def test_a_broken_stream_interrupts_the_reply(user: Any, suite: Any, play: Any) -> None:
    suite.plans.append(play.breaks_after("half"))
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("model_disconnected", "interrupted")
    assert (await user.message(chat, reply_id(events)))["content"] == "half"


async def test_inference_down_fails_the_reply_with_what_to_do(start: Any) -> None:
    user = (await start(inference_service_url="http://127.0.0.1:9")).user()
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-2].data["status"], events[-1].data["status"]) == (
        "inference_unavailable",
        503,
        "failed",
    )


async def test_a_reply_that_grows_too_large_is_cut(start: Any, suite: Any, play: Any) -> None:
    user = (await start(reply_content_max_bytes=1024)).user()
    suite.default = play.says(*["x" * 300] * 5)
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("reply_too_long", "failed")


async def test_a_turn_ends_at_its_longest_duration(start: Any, suite: Any, play: Any) -> None:
    user = (await start(turn_duration_max_s=0.4)).user()
    suite.default = play.says("x", until=asyncio.Event())
    chat = await user.new_chat()
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("turn_too_long", "failed")
