"""A turn from the posted message to the stored reply."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from chat_world import reply_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_tokens_arrive_one_by_one_in_order_between_message_and_done(
    user: Any, suite: Any, play: Any
) -> None:
    suite.default = play.says("a", "b", "c", gap_s=0.02)
    chat = await user.new_chat()
    events = await user.say(chat, "Tell me the letters, please")
    assert [event.event for event in events] == ["message", "delta", "delta", "delta", "usage", "done"]
    assert [event.id for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.data["text"] for event in events[1:4]] == ["a", "b", "c"]
    assert events[0].data["message"]["content"] == "Tell me the letters, please"
    assert events[4].data == play.usage
    assert events[5].data["status"] == "complete"


async def test_the_reply_is_stored_with_what_it_cost(user: Any, play: Any) -> None:
    chat = await user.new_chat()
    message = await user.message(chat, reply_id(await user.say(chat)))
    assert (message["content"], message["status"], message["usage"]) == (
        "Hello there!",
        "complete",
        play.usage,
    )


async def test_an_untitled_chat_takes_the_first_words_as_title(user: Any) -> None:
    chat = await user.new_chat()
    await user.say(chat, "## How do I sharpen a *kitchen knife* without ruining the edge of the blade?\nmore")
    title = (await user.http.get(f"/api/v1/chats/{chat}")).json()["title"]
    assert title == "How do I sharpen a *kitchen knife* without ruining the edge…"


async def test_the_model_gets_the_branch_and_the_caller_options(user: Any, suite: Any) -> None:
    chat = await user.new_chat(model="m-1")
    await user.say(chat, "one")
    await user.say(chat, "two", max_tokens=9, temperature=0.5)
    request = suite.requests[-1]
    assert request["messages"] == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "Hello there!"},
        {"role": "user", "content": "two"},
    ]
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("m-1", 9, 0.5)
    assert request["stream_options"] == {"include_usage": True}


async def test_with_accept_json_the_finished_reply_is_the_answer(user: Any) -> None:
    chat = await user.new_chat()
    answer = await user.http.post(
        f"/api/v1/chats/{chat}/messages", json={"content": "hi"}, headers={"accept": "application/json"}
    )
    assert answer.status_code == 200
    assert (answer.json()["role"], answer.json()["content"], answer.json()["status"]) == (
        "assistant",
        "Hello there!",
        "complete",
    )


async def test_a_reader_that_leaves_does_not_end_the_reply(user: Any, suite: Any, play: Any) -> None:
    gate = asyncio.Event()
    suite.default = play.says("all", " of", " it", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        first = await anext(events)
    gate.set()
    message = await user.until_ended(chat, first.data["reply_id"])
    assert (message["content"], message["status"]) == ("all of it", "complete")
    assert suite.cancelled == 0


async def test_the_same_key_attaches_to_the_same_turn_from_the_start(user: Any, suite: Any) -> None:
    chat = await user.new_chat()
    key = {"Idempotency-Key": str(uuid4())}
    first = await user.say(chat, "once", headers=key)
    again = await user.say(chat, "once", headers=key)
    assert reply_id(again) == reply_id(first)
    assert "".join(e.data["text"] for e in again if e.event == "delta") == "Hello there!"
    assert again[-1].data["status"] == "complete"
    assert len(suite.requests) == 1


async def test_two_posts_at_once_with_one_key_are_one_turn(user: Any, suite: Any) -> None:
    chat = await user.new_chat()
    key = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(*(user.say(chat, "once", headers=key) for _ in range(4)))
    assert len({reply_id(events) for events in answers}) == 1
    assert len(suite.requests) == 1


async def test_the_same_key_with_another_body_is_refused(user: Any) -> None:
    chat = await user.new_chat()
    key = {"Idempotency-Key": str(uuid4())}
    await user.say(chat, "once", headers=key)
    answer = await user.http.post(f"/api/v1/chats/{chat}/messages", json={"content": "twice"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_of_two_posts_at_once_to_one_leaf_one_is_refused(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says("slow", gap_s=0.3)
    chat = await user.new_chat()
    url = f"/api/v1/chats/{chat}/messages"
    answers = await asyncio.gather(*(user.http.post(url, json={"content": f"n{n}"}) for n in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "reply_running"
    assert len((await user.branch(chat))["data"]) == 2


async def test_too_many_running_replies_are_refused_with_what_to_do(
    start: Any, suite: Any, play: Any
) -> None:
    user = (await start(turns_running_per_user_max=2)).user()
    gate = asyncio.Event()
    suite.default = play.says("x", until=gate)
    chats = [await user.new_chat() for _ in range(5)]
    posts = [
        asyncio.ensure_future(user.http.post(f"/api/v1/chats/{chat}/messages", json={"content": "hi"}))
        for chat in chats
    ]

    async def three_are_answered() -> bool:
        return sum(post.done() for post in posts) == 3

    await play.until(three_are_answered)
    refused = [await post for post in posts if post.done()]
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].json()["code"] == "too_many_running_replies"
    assert "retry-after" in refused[0].headers
    gate.set()
    assert sorted(answer.status_code for answer in await asyncio.gather(*posts)) == [200, 200, 429, 429, 429]


async def test_stop_keeps_the_text_cancels_upstream_and_can_be_repeated(
    user: Any, suite: Any, play: Any
) -> None:
    suite.default = play.says("kept", " text", until=asyncio.Event())
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 3)
        suite.recorded[suite.dispatch_ids[-1]] = _recorded(suite.dispatch_ids[-1], 777)
        reply = reply_id(seen)
        answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        rest = [event async for event in events]
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["content"]) == ("stopped", "kept text")
    assert answer.json()["usage"]["cost_nano"] == 777
    assert rest[-1].data["status"] == "stopped"
    again = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
    assert again.json() == answer.json()
    assert suite.cancelled == 1


def _recorded(dispatch_id: str, cost_nano: int) -> dict[str, Any]:
    return {
        "request_id": dispatch_id,
        "state": "settled",
        "cost_nano": cost_nano,
        "input_tokens": 3,
        "output_tokens": 2,
    }


async def test_a_cost_that_is_settled_later_is_added_once(start: Any, suite: Any, play: Any) -> None:
    user = (await start(stop_cost_wait_s=0)).user()
    suite.default = play.says("kept", until=asyncio.Event())
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = reply_id(await play.take(events, 2))
        stopped = (await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")).json()
    assert stopped["usage"] is None
    suite.recorded[suite.dispatch_ids[-1]] = _recorded(suite.dispatch_ids[-1], 500)
    await user.until_known_cost(chat, reply)
    await asyncio.sleep(0.5)
    assert (await user.message(chat, reply))["usage"]["cost_nano"] == 500


async def test_a_stop_before_the_answer_begins_costs_what_billing_says(user: Any, suite: Any) -> None:
    asked = asyncio.Event()

    async def never_begins(_suite: Any, _send: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    suite.plans.append(never_begins)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await anext(events)).data["reply_id"]
        await asyncio.wait_for(asked.wait(), 20)
        (dispatch,) = suite.asked_ids
        suite.recorded[dispatch] = _recorded(dispatch, 55)
        stopped = (await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")).json()
    assert (stopped["status"], stopped["usage"]["cost_nano"]) == ("stopped", 55)


async def test_each_try_has_an_id_of_its_own_and_what_was_refused_costs_nothing(
    user: Any, suite: Any, play: Any, admin: Any
) -> None:
    suite.plans += [
        play.refuses(503, {"error": {"message": "loading", "code": "model_loading"}}),
        play.refuses(402, {"error": {"code": "x"}}),
    ]
    chat = await user.new_chat()
    reply = reply_id(await user.say(chat))
    assert len(set(suite.asked_ids)) == 2
    row = await admin.fetchrow(
        "SELECT dispatch_id, cost_pending FROM chat.turn WHERE message_id = $1", UUID(reply)
    )
    assert (row["dispatch_id"], row["cost_pending"]) == (None, False)


async def test_a_cost_that_comes_later_does_not_count_the_tokens_twice(
    user: Any, suite: Any, play: Any
) -> None:
    async def without_cost(fake: Any, send: Any) -> None:
        await play.begin(fake, send)
        fake.recorded[fake.dispatch_ids[-1]] = _recorded(fake.dispatch_ids[-1], 90)
        await play.finish(
            send, {"prompt_tokens": 3, "completion_tokens": 2, "cost_nano": None, "remaining_nano": None}
        )

    suite.plans.append(without_cost)
    chat = await user.new_chat()
    reply = reply_id(await user.say(chat))

    async def priced() -> bool:
        return (await user.message(chat, reply))["usage"]["cost_nano"] is not None

    await play.until(priced)
    usage = (await user.message(chat, reply))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["cost_nano"]) == (3, 2, 90)


async def test_a_stopped_reply_goes_on_in_the_same_message(user: Any, suite: Any, play: Any) -> None:
    suite.plans.append(play.says("one two", until=asyncio.Event()))
    suite.plans.append(play.says(" three", " four"))
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
        seen = await play.take(events, 2)
        reply = reply_id(seen)
        suite.recorded[suite.dispatch_ids[-1]] = _recorded(suite.dispatch_ids[-1], 800)
        await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        seen += [event async for event in events]
    key = {"Idempotency-Key": str(uuid4())}
    more = await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue", headers=key)
    again = await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue", headers=key)
    assert play.text_of(again) == play.text_of(more)
    assert len(suite.requests) == 2
    assert reply_id(more) == reply
    assert play.text_of(seen + more) == "one two three four"
    assert more[0].id > seen[-1].id
    message = await user.message(chat, reply)
    assert (message["content"], message["status"]) == ("one two three four", "complete")
    assert message["usage"]["cost_nano"] == 800 + play.usage["cost_nano"]
    sent = suite.requests[-1]["messages"]
    assert sent[:2] == [{"role": "user", "content": "count"}, {"role": "assistant", "content": "one two"}]
    assert sent[2]["role"] == "user"
    assert "Go on" in sent[2]["content"]


async def test_a_reader_from_the_start_of_a_continued_reply_gets_all_of_it(
    user: Any, suite: Any, play: Any
) -> None:
    suite.plans.append(play.says("one", until=asyncio.Event()))
    gate = asyncio.Event()
    suite.plans.append(play.says(" two", until=gate))
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
        reply = reply_id(await play.take(events, 2))
        await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
    async with user.events("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue") as events:
        await play.take(events, 2)
        other_tab = asyncio.ensure_future(user.resume(chat, reply, 0))
        await asyncio.sleep(0.1)
        gate.set()
        assert play.text_of(await other_tab) == "one two"
    assert play.text_of(await user.resume(chat, reply, 0)) == "one two"


async def test_a_complete_reply_has_nothing_to_continue(user: Any) -> None:
    chat = await user.new_chat()
    reply = reply_id(await user.say(chat))
    answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/continue")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_continue")


async def test_a_nul_in_text_does_not_break_the_reply(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says("a\x00b")
    chat = await user.new_chat()
    events = await user.say(chat, "x\x00y")
    assert (events[0].data["message"]["content"], play.text_of(events)) == ("xy", "ab")


async def test_deleting_the_chat_ends_its_running_reply(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says(*["x"] * 200, gap_s=0.05)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        await play.take(events, 3)
        assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204
        async with asyncio.timeout(20):
            async for _ in events:
                pass
    assert suite.cancelled == 1
