"""A run continues when the chat process that relays it dies, stalls or shuts down."""

import asyncio
import signal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

TOKENS = [f"{n} " for n in range(150)]


async def _read_until_cut(events: Any, seen: list[Any]) -> None:
    async for event in events:
        seen.append(event)  # noqa: PERF401 - what was seen before the cut counts


async def test_a_killed_process_leaves_a_run_that_another_relays_from_where_its_reader_was(
    start: Any, service: Any, suite: Any, others: Any, script: Any, play: Any
) -> None:
    dying = await start.process()
    writer = dying.user()
    reader = service.user(writer.principal)
    others.script = script.answers(*TOKENS, gap_s=0.02)
    chat = await writer.new_chat(agent_id=others.add_agent(writer))
    seen: list[Any] = []
    with pytest.raises(Exception, match=r".*"):
        async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 40:
                    dying.signal(signal.SIGKILL)
    reply = seen[0].data["reply_id"]
    resumed, watching = await asyncio.gather(reader.resume(chat, reply, seen[-1].id), reader.resume(chat, reply))
    events = seen + resumed
    assert "reset" not in [event.event for event in events]
    assert play.text_of(events) == "".join(TOKENS) == play.text_of(watching)
    assert events[-1].data["status"] == "complete"
    assert events[-1].id == len(others.runs[reply].events) + 1
    assert len(others.starts) == 1
    assert len(others.followed) == 2
    assert 0 < others.followed[1] <= seen[-1].id
    message = await reader.message(chat, reply)
    assert (message["content"], message["status"], message["usage"]["cost_nano"]) == ("".join(TOKENS), "complete", 4321)
    assert [step["step"] for step in message["steps"]] == [1]


async def test_on_sigterm_a_run_is_handed_over_at_once(start: Any, service: Any, suite: Any, others: Any, script: Any, play: Any) -> None:
    leaving = await start.process(turn_lease_s=60, drain_timeout_s=0.2)
    writer = leaving.user()
    reader = service.user(writer.principal)
    gate = asyncio.Event()
    others.script = script.answers("one", " two", until=gate)
    chat = await writer.new_chat(agent_id=others.add_agent(writer))
    seen: list[Any] = []
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen += await play.take(events, 4)
        leaving.signal(signal.SIGTERM)
        await _read_until_cut(events, seen)
    await leaving.until_exit()
    reply = seen[0].data["reply_id"]
    assert (await reader.message(chat, reply))["status"] == "streaming"

    async def followed_again() -> bool:
        return len(others.followed) == 2

    await play.until(followed_again, 20)
    gate.set()
    seen += await reader.resume(chat, reply, seen[-1].id)
    assert (play.text_of(seen), seen[-1].data["status"], others.cancels) == ("one two", "complete", [])


async def _take_away(database: Any, reply: str) -> None:
    """Let the turn look as if its process had died, which it does not know yet."""
    admin = await asyncpg.connect(database.admin_url)
    try:
        statement = "UPDATE chat.turn SET owner = 'dead', lease_until = now() - interval '1 s' WHERE message_id = $1"
        await admin.execute(statement, UUID(reply))
    finally:
        await admin.close()


async def _until_followed(others: Any, play: Any, times: int) -> None:
    async def followed() -> bool:
        return len(others.followed) == times

    await play.until(followed, 20)


async def test_a_process_that_lost_its_lease_writes_nothing_more_and_its_readers_follow_the_other(
    service: Any, suite: Any, others: Any, script: Any, play: Any, database: Any
) -> None:
    user = service.user()
    others.script = script.answers("one", " two", until=asyncio.Event())
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 4)
        reply = seen[0].data["reply_id"]
        await asyncio.sleep(0.3)  # until it is journaled
        await _take_away(database, reply)
        await _until_followed(others, play, 2)
        answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        seen += [event async for event in events]
    assert (answer.json()["status"], answer.json()["content"]) == ("stopped", "one two")
    assert (play.text_of(seen), seen[-1].data["status"]) == ("one two", "stopped")
    assert [event.id for event in seen] == list(range(1, 7))
    assert others.followed == [0, 3]


async def test_a_stop_that_was_asked_for_before_the_crash_still_counts(
    start: Any, service: Any, suite: Any, others: Any, play: Any, database: Any
) -> None:
    async def deaf(run: Any) -> None:
        run.step(1)
        run.emit("delta", text="x")
        await run.cancelled.wait()
        await _take_away(database, run.body["run_id"])
        await asyncio.sleep(60)

    others.script = deaf
    user = (await start(agent_stop_wait_s=60)).user()
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 3))[0].data["reply_id"]
        await asyncio.sleep(0.3)
        await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        await _until_followed(others, play, 2)
        others.runs[reply].finish("stopped")
        last = [event async for event in events][-1]
    assert (last.data["status"], (await user.message(chat, reply))["content"]) == ("stopped", "x")


async def test_a_run_whose_usage_was_told_before_the_crash_keeps_it(
    service: Any, suite: Any, others: Any, play: Any, database: Any
) -> None:
    gate = asyncio.Event()

    async def work(run: Any) -> None:
        run.step(1)
        run.emit("delta", text="x")
        run.emit("error", code="limit", detail="d")
        run.usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost_nano": 5}
        run.emit("usage", **run.usage)
        await gate.wait()
        run.emit("done", status="failed")

    others.script = work
    user = service.user()
    chat = await user.new_chat(agent_id=others.add_agent(user))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 5))[0].data["reply_id"]
        await asyncio.sleep(0.3)
        await _take_away(database, reply)
        await _until_followed(others, play, 2)
        gate.set()
        async for _ in events:
            pass
    message = await user.message(chat, reply)
    assert (message["status"], message["error"]["code"], message["usage"]["cost_nano"]) == ("failed", "limit", 5)
