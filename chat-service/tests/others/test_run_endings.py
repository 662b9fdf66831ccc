"""What a reply keeps of its run beside the text, and what becomes of runs whose chat, person or key
is gone.
"""

import asyncio
from typing import Any

import orjson
import pytest
from shared.access import ACCESS_CHANNEL
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_reasoning_and_why_it_ended_are_kept(user: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.step(1)
        run.emit("reasoning", text="first ")
        run.step(2)
        run.emit("reasoning", text="cut")
        run.step(2, attempt=2)
        run.emit("reasoning", text="then")
        run.emit("delta", text="so")
        run.finish(reason="length")

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert events[-1].data == {"status": "complete", "finish_reason": "length"}
    message = await user.message(chat, events[0].data["reply_id"])
    assert (message["reasoning"], message["content"], message["finish_reason"]) == (
        "first then",
        "so",
        "length",
    )


async def test_what_chat_and_the_run_left_out_adds_up(start: Any, suite: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.emit("left_out", messages=2, passages=1, window_tokens=2000)
        run.step(1)
        run.emit("delta", text="so")
        run.finish()

    suite.contexts = {"small": 2048}
    user = (await start()).user()
    chat = await user.new_chat(model="small", agent_id=others.add_agent(user))
    said = "word " * 300
    await user.say(chat, said)
    others.script = work
    for _ in range(3):
        events = await user.say(chat, said)
    run = others.runs[events[0].data["reply_id"]]
    assert [event.id for event in events] == list(range(1, len(run.events) + 2))
    expected = {"messages": 7 - len(run.body["input"]) + 2, "passages": 1, "window_tokens": 2000}
    assert (events[1].event, events[1].data) == ("left_out", expected)
    assert (await user.message(chat, events[0].data["reply_id"]))["left_out"] == expected


async def test_what_chat_left_out_is_stored_while_the_run_goes_on(
    start: Any, suite: Any, others: Any, script: Any, play: Any
) -> None:
    suite.contexts = {"small": 2048}
    user = (await start()).user()
    chat = await user.new_chat(model="small", agent_id=others.add_agent(user))
    said = "word " * 300
    for _ in range(3):
        await user.say(chat, said)
    others.script = script.answers("so", until=asyncio.Event())
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": said}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        left_out = (await user.message(chat, reply))["left_out"]
    assert left_out == {
        "messages": 7 - len(others.runs[reply].body["input"]),
        "passages": 0,
        "window_tokens": 2048,
    }


async def test_readers_in_another_process_see_in_all_what_was_left_out_though_they_came_before_it_was_known(
    start: Any, service: Any, suite: Any, others: Any, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting, ending = asyncio.Event(), asyncio.Event()

    async def work(run: Any) -> None:
        run.emit("left_out", messages=2, passages=1, window_tokens=2000)
        await ending.wait()
        run.finish()

    suite.contexts = {"small": 2048}
    owner = await start()
    writer = owner.user()
    reader = service.user(writer.principal)
    chat = await writer.new_chat(model="small", agent_id=others.add_agent(writer))
    said = "word " * 300
    for _ in range(3):
        await writer.say(chat, said)
    others.script = work
    histories = owner.app.state.runner._writers.relay._histories
    note = histories.note_left_out

    async def note_late(*arguments: Any) -> None:
        await noting.wait()
        await note(*arguments)

    monkeypatch.setattr(histories, "note_left_out", note_late)
    url = f"/api/v1/chats/{chat}/messages"
    async with writer.events("POST", url, json={"content": said}) as events:
        reply = (await play.take(events, 1))[0].data["reply_id"]
        async with reader.events("GET", f"{url}/{reply}/stream") as watching:
            await play.take(watching, 1)
            noting.set()
            written, mirrored = await anext(events), await anext(watching)
            ending.set()
    assert (written.event, written.data["messages"] > 2) == ("left_out", True)
    assert (mirrored.id, mirrored.event, mirrored.data) == (written.id, written.event, written.data)


async def test_a_deleted_chat_takes_its_runs_along(user: Any, others: Any, script: Any, play: Any) -> None:
    chat = await user.new_chat(agent_id=others.add_agent(user))
    replies = [(await user.say(chat))[0].data["reply_id"] for _ in range(2)]
    regenerated = (await user.collect("POST", f"/api/v1/chats/{chat}/messages/{replies[1]}/regenerate"))[
        0
    ].data["reply_id"]
    others.script = script.answers("going on", until=asyncio.Event())
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        running = (await play.take(events, 3))[0].data["reply_id"]
        assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204

        async def gone() -> bool:
            return set(others.deletions) == {*replies, regenerated, running}

        await play.until(gone)


async def test_a_run_that_begins_after_its_chat_was_deleted_is_deleted_too(
    start: Any, others: Any, script: Any, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start(turn_lease_s=60)  # its heartbeat comes when the test says so
    user = service.user()
    others.script = script.answers("nobody reads this", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    agents, held = service.app.state.runner._writers.relay._agents, asyncio.Event()
    begin = agents.start

    async def begins_late(principal: Any, body: Any) -> Any:
        await held.wait()
        return await begin(principal, body)

    monkeypatch.setattr(agents, "start", begins_late)
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await anext(events)).data["reply_id"]
        assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204

        async def asked() -> bool:
            return f"DELETE /api/v1/agents/runs/{reply}" in others.asked

        await play.until(asked)
        assert others.deletions == []
        held.set()

        async def is_there() -> bool:
            return reply in others.runs

        await play.until(is_there)
        await service.app.state.runner.heartbeat()

        async def deleted() -> bool:
            return others.deletions == [reply]

        await play.until(deleted, 15)


async def test_runs_are_asked_for_until_the_agent_service_has_taken_them(
    user: Any, others: Any, play: Any, admin: Any
) -> None:
    chat = await user.new_chat(agent_id=others.add_agent(user))
    reply = (await user.say(chat))[0].data["reply_id"]
    others.refuse_deletions = 503
    assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204
    await asyncio.sleep(0.3)
    pending = (
        "SELECT payload FROM chat.outbox WHERE topic = 'chat.deleted' AND key = $1 AND published_at IS NULL"
    )
    payload = orjson.loads(await admin.fetchval(pending, chat))
    assert (payload["chat_id"], payload["run_ids"], payload["user_id"]) == (
        chat,
        [reply],
        str(user.principal.user_id),
    )
    others.refuse_deletions = None

    async def taken() -> bool:
        return others.deletions == [reply] and await admin.fetchval(pending, chat) is None

    await play.until(taken)


async def test_a_run_that_is_not_there_any_more_needs_no_second_asking(
    user: Any, others: Any, play: Any, admin: Any
) -> None:
    chat = await user.new_chat(agent_id=others.add_agent(user))
    reply = (await user.say(chat))[0].data["reply_id"]
    del others.runs[reply]
    await user.http.delete(f"/api/v1/chats/{chat}")

    async def taken() -> bool:
        return (
            await admin.fetchval(
                "SELECT count(*) FROM chat.outbox WHERE key = $1 AND published_at IS NULL", chat
            )
            == 0
        )

    await play.until(taken)


async def test_a_suspended_persons_run_is_cancelled_and_its_reply_ends(
    start: Any, others: Any, script: Any, play: Any, admin: Any
) -> None:
    service = await start(agent_stop_wait_s=60)
    await asyncio.wait_for(service.app.state.access.listening.wait(), 20)
    user = service.user()
    others.script = script.answers("so far", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 3))[0].data["reply_id"]
        event = {
            "id": uuid7(),
            "topic": "account.suspended",
            "key": "k",
            "payload": {"user_id": user.principal.user_id, "at": "x"},
        }
        await admin.execute(
            "SELECT pg_notify($1, $2)", ACCESS_CHANNEL, orjson.dumps(event, default=str).decode()
        )
        async with asyncio.timeout(20):
            message = await user.until_ended(chat, reply)
    # Whichever is first: this service ends its reply, or the run it cancelled ends.
    assert (message["status"], message["content"], message["finish_reason"]) == (
        "failed",
        "so far",
        "account_suspended",
    )

    async def cancelled() -> bool:
        return others.cancels == [reply]

    await play.until(cancelled)


async def test_a_long_question_still_gets_passages(start: Any, suite: Any, others: Any) -> None:
    suite.contexts = {"small": 4096}
    user = (await start()).user()
    file_id = others.add_file(user)
    others.add_passage(file_id, "the answer is in here " * 20)
    others.add_passage(file_id, "and this does not fit " * 300)
    chat = await user.new_chat(model="small")
    events = await user.say(chat, "word " * 2_000, attachments=[file_id])
    assert [event.event for event in events if event.event in {"citation", "left_out"}] == [
        "citation",
        "left_out",
    ]
    assert next(event.data for event in events if event.event == "left_out") == {
        "messages": 0,
        "passages": 1,
        "window_tokens": 4096,
    }
    assert "the answer is in here" in suite.requests[-1]["messages"][-1]["content"]
