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
        async with writer.events(
            "POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}
        ) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 40:
                    dying.signal(signal.SIGKILL)
    reply = seen[0].data["reply_id"]
    resumed, watching = await asyncio.gather(
        reader.resume(chat, reply, seen[-1].id), reader.resume(chat, reply)
    )
    events = seen + resumed
    assert "reset" not in [event.event for event in events]
    assert play.text_of(events) == "".join(TOKENS) == play.text_of(watching)
    assert events[-1].data["status"] == "complete"
    assert events[-1].id == len(others.runs[reply].events) + 1
    assert len(others.starts) == 1
    assert set(others.followed) == {0}, (
        "a run is read again from its start: its events are stored there alone"
    )
    message = await reader.message(chat, reply)
    assert (message["content"], message["status"], message["usage"]["cost_nano"]) == (
        "".join(TOKENS),
        "complete",
        4321,
    )
    assert [step["step"] for step in message["steps"]] == [1]


async def test_on_sigterm_a_run_is_handed_over_at_once(
    start: Any, service: Any, suite: Any, others: Any, script: Any, play: Any
) -> None:
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
        statement = (
            "UPDATE chat.turn SET owner = 'dead', lease_until = now() - interval '1 s' WHERE message_id = $1"
        )
        await admin.execute(statement, UUID(reply))
    finally:
        await admin.close()


async def _until_followed(others: Any, play: Any, times: int) -> None:
    async def followed() -> bool:
        return len(others.followed) >= times

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
        await _take_away(database, reply)
        await _until_followed(others, play, 2)
        answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        seen += [event async for event in events]
    assert (answer.json()["status"], answer.json()["content"]) == ("stopped", "one two")
    assert (play.text_of(seen), seen[-1].data["status"]) == ("one two", "stopped")
    assert [event.id for event in seen] == list(range(1, 7))
    assert set(others.followed) == {0}


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
    assert (message["status"], message["error"]["code"], message["usage"]["cost_nano"]) == (
        "failed",
        "limit",
        5,
    )


async def _until_text(events: Any, text: str, play: Any) -> list[Any]:
    """The next events, until they have said `text`."""
    seen: list[Any] = []
    while play.text_of(seen) != text:
        seen.append(await anext(events))
    return seen


async def _journaled(database: Any, reply: str) -> int:
    admin = await asyncpg.connect(database.admin_url)
    try:
        rows = "SELECT count(*) FROM chat.journal JOIN chat.turn ON turn.id = turn_id WHERE message_id = $1"
        return await admin.fetchval(rows, UUID(reply))
    finally:
        await admin.close()


async def test_readers_in_another_process_follow_the_run_itself_which_alone_stores_its_events(
    start: Any, service: Any, suite: Any, others: Any, script: Any, play: Any, database: Any
) -> None:
    owner = await start()
    writer = owner.user()
    reader = service.user(writer.principal)
    gate = asyncio.Event()
    others.script = script.answers("one", " two", " three", until=gate)
    chat = await writer.new_chat(agent_id=others.add_agent(writer))
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 5)
        reply = seen[0].data["reply_id"]
        url = f"/api/v1/chats/{chat}/messages/{reply}/stream"
        async with (
            reader.events("GET", url) as from_start,
            reader.events("GET", f"{url}?after={seen[3].id}") as from_there,
        ):
            whole = await _until_text(from_start, "one two three", play)
            rest = await _until_text(from_there, " three", play)
            assert others.followed == [0, 0], "all readers of a process read a run once"
            assert await _journaled(database, reply) == 0
            gate.set()
            whole += [event async for event in from_start]
            rest += [event async for event in from_there]
        seen += [event async for event in events]
    assert (whole[-2:], rest[-2:]) == (seen[-2:], seen[-2:])
    assert await _journaled(database, reply) > 0
    assert play.text_of(await reader.resume(chat, reply, seen[2].id), "one") == "one two three"


async def test_a_reader_in_another_process_hears_that_the_reply_ended_before_its_run(
    start: Any, service: Any, suite: Any, others: Any, play: Any
) -> None:
    async def deaf(run: Any) -> None:
        run.step(1)
        run.emit("delta", text="on and on")
        await asyncio.sleep(60)

    owner = await start(agent_stop_wait_s=0.3)
    writer = owner.user()
    reader = service.user(writer.principal)
    others.script = deaf
    chat = await writer.new_chat(agent_id=others.add_agent(writer))
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 3))[0].data["reply_id"]
        async with reader.events("GET", f"/api/v1/chats/{chat}/messages/{reply}/stream") as watching:
            seen = await _until_text(watching, "on and on", play)
            await reader.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
            seen += [event async for event in watching]
    assert (play.text_of(seen), seen[-1].data["status"]) == ("on and on", "stopped")
    assert [event.id for event in seen] == sorted(event.id for event in seen)
