"""Whoever is refused has stored and started nothing: the stream's place and the message's length
come first.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _counts(admin: Any) -> tuple[int, int]:
    return await admin.fetchval("SELECT count(*) FROM chat.message"), await admin.fetchval(
        "SELECT count(*) FROM chat.turn"
    )


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_post_without_a_place_for_its_stream_stores_and_asks_nothing(
    start: Any, suite: Any, play: Any, admin: Any, accept: str
) -> None:
    user = (await start(streams_per_user_max=2)).user()
    gate = asyncio.Event()
    suite.default = play.says("x", until=gate)
    chat, full = await user.new_chat(), await user.new_chat()
    done = await user.new_chat()
    suite.plans.append(play.says("done", reason="length"))
    reply = (await user.say(done))[0].data["reply_id"]
    read = []
    async with AsyncExitStack() as open_streams:
        for _ in range(2):
            context = user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"})
            read.append(await open_streams.enter_async_context(context))
            await anext(read[-1])
            chat = await user.new_chat()
        before, asked = await _counts(admin), len(suite.requests)
        for path in (
            f"{full}/messages",
            f"{done}/messages/{reply}/regenerate",
            f"{done}/messages/{reply}/continue",
        ):
            body = {"content": "hi"} if path.endswith("messages") else {}
            refused = await user.http.post(f"/api/v1/chats/{path}", json=body, headers={"accept": accept})
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams"), path
        assert (await _counts(admin), len(suite.requests)) == (before, asked)
        assert (await user.branch(full))["data"] == []
        gate.set()

    async def places_are_free() -> bool:
        return (
            await user.http.post(f"/api/v1/chats/{full}/messages", json={"content": "hi"})
        ).status_code == 200

    await play.until(places_are_free)


async def test_a_refused_start_gives_its_place_back(start: Any, suite: Any) -> None:
    service = await start(streams_per_user_max=2)
    user = service.user()
    chat = await user.new_chat()
    for _ in range(5):
        headers = {"accept": "text/event-stream"}
        refused = await user.http.post(
            f"/api/v1/chats/{chat}/messages", json={"content": "x" * 300_000}, headers=headers
        )
        assert refused.status_code == 413
    assert len(service.app.state.streams.open) == 0
    assert (await user.say(chat))[-1].data["status"] == "complete"


async def test_a_message_longer_than_the_model_reads_is_refused_with_the_numbers(
    start: Any, suite: Any, admin: Any
) -> None:
    suite.contexts = {"small": 4096, "large": 200_000}
    user = (await start()).user()
    chat = await user.new_chat(model="small")
    before = await _counts(admin)
    long = "word " * 2_600  # 13,000 bytes are 3,250 tokens at four bytes each; 3,072 are for the prompt
    refused = await user.http.post(f"/api/v1/chats/{chat}/messages", json={"content": long})
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (413, "message_too_long")
    assert (problem["model"], problem["tokens"], problem["limit_tokens"]) == ("small", 3250, 3072)
    assert (await _counts(admin), suite.requests) == (before, [])
    sent = await user.say(chat, long, model="large")
    assert sent[-1].data["status"] == "complete"
    again = f"/api/v1/chats/{chat}/messages/{sent[0].data['reply_id']}/regenerate"
    assert (await user.http.post(again, json={"model": "small"})).json()["code"] == "message_too_long"
    assert (await user.say(chat, "word " * 2_000, model="small"))[-1].data["status"] == "complete"


async def test_a_window_that_nobody_named_refuses_nothing(start: Any, suite: Any) -> None:
    user = (await start()).user()
    chat = await user.new_chat(model="nobody-knows")
    assert (await user.say(chat, "word " * 20_000))[-1].data["status"] == "complete"
