"""Replies that an agent writes: its run's events, one for one."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from chat_world import reply_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_reader_is_told_that_the_agent_service_is_away_and_when_it_is_back(
    user: Any, others: Any
) -> None:
    back = asyncio.Event()

    async def work(run: Any) -> None:
        run.step(1)
        others.agents_away = True
        await back.wait()
        run.emit("delta", text="Here.")
        run.finish()

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = [await anext(events)]
        while seen[-1].event != "waiting":
            seen.append(await anext(events))
        waiting = seen.pop()
        assert waiting.data == {"reason": "service_away", "progress": None}
        assert waiting.id == seen[-1].id, "it is no event of the reply, so it takes no id"
        url = f"/api/v1/chats/{chat}/messages/{reply_id(seen)}/stream?after={seen[-1].id}"
        async with user.events("GET", url) as other_tab:
            assert (await anext(other_tab)).data == waiting.data
        others.agents_away = False
        back.set()
        seen += [event async for event in events]
    assert [event.event for event in seen if event.event != "step"] == ["message", "delta", "usage", "done"]
    assert [event.id for event in seen] == list(range(1, len(seen) + 1))
    assert [
        event.event for event in await user.resume(chat, reply_id(seen)) if event.event == "waiting"
    ] == []


async def test_a_reader_is_told_that_the_agents_have_no_room(start: Any, others: Any) -> None:
    user = (await start(agent_wait_max_s=2)).user()
    chat = await user.new_chat(agent_id=others.add_agent(user))
    others.refuse_start = (503, {"detail": "too many runs are under way", "code": "agents_busy"})
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        first, waiting = await anext(events), await anext(events)
        assert (waiting.event, waiting.data["reason"]) == ("waiting", "agents_busy")
        others.refuse_start = None
        assert [event async for event in events][-1].data["status"] == "complete"
    others.refuse_start = (503, {"detail": "too many runs are under way", "code": "agents_busy"})
    failed = await user.say(chat, parent_id=first.data["reply_id"])
    assert [event.data["code"] for event in failed if event.event == "error"] == ["agents_busy"]


async def _calculates_and_cites(run: Any) -> None:
    source = {"file_id": str(uuid4()), "chunk_id": str(uuid4()), "filename": "a.md"}
    run.emit("waiting", reason="model_busy")
    run.step(1)
    run.emit("reasoning", text="hm")
    run.step(2, kind="tool", title="Calculator")
    run.call(2, "running", arguments={"expression": "37*91"})
    run.call(2, "done", arguments={"expression": "37*91"}, result="3367", duration_ms=3)
    run.emit("citation", n=1, **source, score=0.5, text="t")
    run.step(3)
    run.emit("delta", text="It is ")
    run.emit("delta", text="3367 [1].")
    run.finish()


async def test_the_events_of_a_run_are_the_events_of_the_reply(user: Any, suite: Any, others: Any) -> None:
    others.script = _calculates_and_cites
    file_id, base = others.add_file(user), others.add_knowledge(user)
    agent = others.add_agent(user)
    chat = await user.new_chat(model="m-1", knowledge_base_ids=[base])
    await user.say(chat, "before")
    assert (await user.http.patch(f"/api/v1/chats/{chat}", json={"agent_id": agent})).json()[
        "agent_id"
    ] == agent
    events = await user.say(chat, "What is 37 * 91?", attachments=[file_id], temperature=0.2)
    run = others.runs[reply_id(events)]
    assert [event.event for event in events] == ["message", *(event for event, _ in run.events)]
    assert [event.id for event in events] == list(range(1, len(run.events) + 2))
    assert run.body["input"] == [
        {"role": "user", "content": "before"},
        {"role": "assistant", "content": "Hello there!"},
        {"role": "user", "content": "What is 37 * 91?"},
    ]
    chosen = {
        name: run.body[name]
        for name in ("agent_id", "model", "knowledge_base_ids", "file_ids", "temperature")
    }
    assert chosen == {
        "agent_id": agent,
        "model": "m-1",
        "knowledge_base_ids": [base],
        "file_ids": [file_id],
        "temperature": 0.2,
    }
    message = await user.message(chat, reply_id(events))
    assert (message["content"], message["status"], message["agent_id"]) == (
        "It is 3367 [1].",
        "complete",
        agent,
    )
    assert [step.get("status") or step["kind"] for step in message["steps"]] == [
        "model",
        "tool",
        "done",
        "model",
    ]
    assert message["steps"][2]["result"] == "3367"
    assert [entry["filename"] for entry in message["citations"]] == ["a.md"]
    assert message["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "cost_nano": 4321,
        "remaining_nano": 1000,
    }
    assert len(suite.requests) == 1  # the plain turn before


async def test_resuming_after_any_event_gives_the_rest(
    user: Any, others: Any, script: Any, play: Any
) -> None:
    others.script = script.answers("the", " quick", " fox", gap_s=0.01)
    chat = await user.new_chat(agent_id=others.add_agent(user))
    seen = await user.say(chat)
    for count in range(len(seen) + 1):
        rest = await user.resume(chat, reply_id(seen), seen[count - 1].id if count else 0)
        assert play.text_of(rest, play.text_of(seen[:count])) == "the quick fox"
        assert count == len(seen) or (rest[-1].id, rest[-1].data["status"]) == (seen[-1].id, "complete")


async def test_what_a_cut_attempt_wrote_and_called_is_void(user: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.step(1)
        run.emit("delta", text="Kept. ")
        run.step(2)
        run.emit("delta", text="This was cut in its mid")
        run.call(2, "running")
        run.step(2, attempt=2)
        run.emit("delta", text="This was not.")
        run.finish()

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    message = await user.message(chat, reply_id(await user.say(chat)))
    assert message["content"] == "Kept. This was not."
    assert [(step["step"], step["attempt"]) for step in message["steps"]] == [(1, 1), (2, 2)]


async def test_stop_cancels_the_run_and_keeps_what_it_wrote(
    user: Any, others: Any, script: Any, play: Any
) -> None:
    others.script = script.answers("kept", " text", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 4)
        reply = reply_id(seen)
        answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        seen += [event async for event in events]
    assert (answer.json()["status"], answer.json()["content"], others.cancels) == (
        "stopped",
        "kept text",
        [reply],
    )
    assert [event.event for event in seen][-2:] == ["usage", "done"]
    assert answer.json()["usage"]["cost_nano"] == 4321
    again = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
    assert again.json() == answer.json()


async def test_a_run_that_does_not_heed_a_stop_ends_its_reply_all_the_same(
    start: Any, others: Any, play: Any
) -> None:
    async def deaf(run: Any) -> None:
        run.step(1)
        run.emit("delta", text="on and on")
        await asyncio.sleep(60)

    user = (await start(agent_stop_wait_s=0.3)).user()
    others.script = deaf
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = reply_id(await play.take(events, 3))
        answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        last = [event async for event in events][-1]
    assert (answer.json()["status"], answer.json()["content"]) == ("stopped", "on and on")
    assert last.id > 1_000_000  # what the run still says has the ids before it


async def test_an_agent_service_that_is_away_for_a_while_is_waited_for(
    user: Any, others: Any, script: Any, play: Any
) -> None:
    gate = asyncio.Event()
    others.script = script.answers("one", " two", until=gate)
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 4)
        others.agents_away = True
        await asyncio.sleep(0.5)
        gate.set()
        others.agents_away = False
        seen += [event async for event in events]
    assert [event.id for event in seen] == list(range(1, 7))
    assert (play.text_of(seen), seen[-1].data["status"]) == ("one two", "complete")
    assert others.followed[-1] == 3


@pytest.mark.parametrize("fault", ["break_after", "skip_once"])
async def test_a_stream_that_breaks_or_lacks_an_event_is_asked_again_from_there(
    user: Any, others: Any, script: Any, play: Any, fault: str
) -> None:
    setattr(others, fault, 3)
    others.script = script.answers(*"abcdef")
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert [event.id for event in events] == list(range(1, 11))
    assert play.text_of(events) == "abcdef"
    assert len(others.followed) == 2


async def test_a_run_that_cannot_be_followed_any_more_interrupts_its_reply_and_is_cancelled_later(
    start: Any, others: Any, script: Any, play: Any
) -> None:
    user = (await start(agent_wait_max_s=0.4)).user()
    others.script = script.answers("so far", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = reply_id(await play.take(events, 3))
        others.agents_away = True
        rest = [event async for event in events]
    assert [(event.event, event.data.get("code")) for event in rest[-2:]] == [
        ("error", "agent_unavailable"),
        ("done", None),
    ]
    message = await user.message(chat, reply)
    assert (message["status"], message["content"], message["usage"]) == ("interrupted", "so far", None)
    others.agents_away = False

    async def cancelled() -> bool:
        return others.cancels == [reply]

    await play.until(cancelled)
    assert (await user.until_known_cost(chat, reply))["usage"]["cost_nano"] == 4321


async def test_a_refused_start_is_shown_where_the_reply_would_be(user: Any, others: Any) -> None:
    others.refuse_start = (
        402,
        {"detail": "The wallet is empty.", "code": "insufficient_credits", "action": {"label": "Top up"}},
    )
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert [event.event for event in events] == ["message", "error", "done"]
    assert events[1].data["action"] == {"label": "Top up"}
    assert (events[1].data["code"], events[1].data["status"], events[2].data["status"]) == (
        "insufficient_credits",
        402,
        "failed",
    )
    assert others.cancels == []


async def test_a_run_that_fails_says_why(user: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.step(1)
        run.emit("error", code="steps_exceeded", detail="10 steps were not enough", limit=10)
        run.finish("failed")

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert [event.event for event in events][-3:] == ["error", "usage", "done"]
    message = await user.message(chat, reply_id(events))
    assert (message["status"], message["error"]["code"], message["error"]["extra"]) == (
        "failed",
        "steps_exceeded",
        {"limit": 10},
    )


async def test_a_cost_that_the_run_learns_later_is_added_once(user: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.step(1)
        run.finish(
            usage={"prompt_tokens": 5, "completion_tokens": 2, "cost_nano": None, "remaining_nano": None}
        )

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    reply = reply_id(await user.say(chat))
    others.runs[reply].usage = {"prompt_tokens": 5, "completion_tokens": 2, "cost_nano": 70}
    await asyncio.sleep(1.2)
    usage = (await user.message(chat, reply))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["cost_nano"]) == (5, 2, 70)


async def test_deleting_the_chat_ends_its_run(user: Any, others: Any, script: Any, play: Any) -> None:
    others.script = script.answers("x", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        run = others.runs[reply_id(await play.take(events, 3))]
        assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204
        async with asyncio.timeout(20):
            async for _ in events:
                pass
    # By its cancellation or its deletion: whichever comes first.
    await asyncio.wait_for(run.cancelled.wait(), 20)


async def test_an_agents_reply_does_not_go_on_but_can_be_regenerated_by_a_new_run(
    user: Any, others: Any, script: Any, play: Any
) -> None:
    others.script = script.answers("x", status="failed")
    chat = await user.new_chat(agent_id=others.add_agent(user))
    first = reply_id(await user.say(chat))
    url = f"/api/v1/chats/{chat}/messages/{first}"
    refused = await user.http.post(f"{url}/continue")
    assert (refused.status_code, refused.json()["code"]) == (409, "agent_reply_ended")
    others.script = script.answers("better")
    events = await user.collect("POST", f"{url}/regenerate")
    assert (play.text_of(events), set(others.runs)) == ("better", {first, reply_id(events)})
    await user.http.patch(f"/api/v1/chats/{chat}", json={"agent_id": None})
    plain = await user.collect("POST", f"{url}/regenerate")
    assert (play.text_of(plain), len(others.runs)) == ("Hello there!", 2)
