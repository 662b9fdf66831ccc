"""What survives when a process dies, stalls or shuts down, and two processes over one database."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from atrium_local.postgres import PostgresServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

TOKENS = [f"{n} " for n in range(400)]


async def _read_into(seen: list[Any], events: Any) -> None:
    async for event in events:
        seen.append(event)  # noqa: PERF401 - the caller looks at it meanwhile


async def test_a_killed_process_leaves_an_interrupted_reply_that_goes_on(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    dying, other = await start.process(), service
    writer = dying.user()
    reader = other.user(writer.principal)
    suite.plans.append(play.says(*TOKENS, gap_s=0.01))
    chat = await writer.new_chat()
    seen: list[Any] = []
    with pytest.raises(Exception, match=r".*"):
        async with writer.events(
            "POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}
        ) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 60:
                    dying.signal(signal.SIGKILL)
    reply = seen[0].data["reply_id"]
    assert (await reader.message(chat, reply))["status"] == "streaming"
    dispatch = suite.dispatch_ids[-1]
    suite.recorded[dispatch] = {
        "request_id": dispatch,
        "state": "settled",
        "cost_nano": 44,
        "input_tokens": 3,
        "output_tokens": 60,
    }
    stored = await reader.until_ended(chat, reply)
    shown = play.text_of(seen)
    assert stored["status"] == "interrupted"
    assert shown.startswith(stored["content"])
    assert len(stored["content"]) > 20
    assert play.text_of(await reader.resume(chat, reply, seen[-1].id), shown) == stored["content"]
    assert play.text_of(await reader.resume(chat, reply)) == stored["content"]
    message = await reader.until_known_cost(chat, reply)
    assert message["usage"]["cost_nano"] == 44
    suite.plans.append(play.says("and on"))
    more = await reader.collect("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue")
    assert play.text_of(more, stored["content"]) == stored["content"] + "and on"
    # Ids that were shown but never stored mean nothing now: the old reader starts again from the text.
    assert play.text_of(await reader.resume(chat, reply, seen[-1].id), shown) == stored["content"] + "and on"


async def test_a_process_that_dies_before_the_answer_begins_leaves_its_cost_to_others(
    start: Any, service: Any, suite: Any
) -> None:
    dying = await start.process()
    writer = dying.user()
    reader = service.user(writer.principal)
    asked = asyncio.Event()

    async def never_begins(_suite: Any, _send: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    suite.plans.append(never_begins)
    chat = await writer.new_chat()
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await anext(events)).data["reply_id"]
        await asyncio.wait_for(asked.wait(), 20)
        dying.signal(signal.SIGKILL)
    (dispatch,) = suite.asked_ids
    suite.recorded[dispatch] = {
        "request_id": dispatch,
        "state": "settled",
        "cost_nano": 33,
        "input_tokens": 3,
        "output_tokens": 0,
    }
    assert (await reader.until_ended(chat, reply))["status"] == "interrupted"
    assert (await reader.until_known_cost(chat, reply))["usage"]["cost_nano"] == 33


async def test_a_process_that_does_not_own_the_reply_streams_and_stops_it(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    owner, other = await start.process(), service
    writer = owner.user()
    reader = other.user(writer.principal)
    suite.default = play.says(*TOKENS[:60], gap_s=0.02)
    chat = await writer.new_chat()
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
        seen = await play.take(events, 10)
        reply = seen[0].data["reply_id"]
        followers = [
            asyncio.ensure_future(reader.resume(chat, reply, after)) for after in (0, 1, 5, seen[-1].id)
        ]
        seen += [event async for event in events]
    whole = "".join(TOKENS[:60])
    assert play.text_of(seen) == whole
    for follower, known in zip(followers, (0, 1, 5, 10), strict=True):
        events = await follower
        assert play.text_of(events, play.text_of(seen[:known])) == whole
        assert events[-1].data["status"] == "complete"

    suite.default = play.says("stop me", until=asyncio.Event())
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "more"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        answer = await reader.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
        rest = [event async for event in events]
    assert (answer.json()["status"], answer.json()["content"]) == ("stopped", "stop me")
    assert rest[-1].data["status"] == "stopped"


async def test_a_process_that_stalled_past_its_lease_writes_nothing_more(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    stalling, other = await start.process(), service
    writer = stalling.user()
    reader = other.user(writer.principal)
    suite.default = play.says(*TOKENS, gap_s=0.01)
    chat = await writer.new_chat()
    seen: list[Any] = []
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
        reading = asyncio.ensure_future(_read_into(seen, events))
        await asyncio.sleep(0.8)
        stalling.signal(signal.SIGSTOP)
        reply = seen[0].data["reply_id"]
        stored = await reader.until_ended(chat, reply)
        stalling.signal(signal.SIGCONT)
        await asyncio.wait_for(reading, 20)
    assert stored["status"] == "interrupted"
    assert await reader.message(chat, reply) == stored
    assert seen[-1].data["status"] == "interrupted"
    assert play.text_of(seen) == stored["content"]


async def test_sigterm_lets_a_short_reply_end_and_interrupts_a_long_one(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    leaving, other = await start.process(), service
    writer = leaving.user()
    reader = other.user(writer.principal)
    suite.plans += [play.says("short", gap_s=0.5), play.says("long", until=asyncio.Event())]
    replies, endings = [], []
    for _ in range(2):
        chat = await writer.new_chat()
        context = writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"})
        events = await context.__aenter__()
        replies.append((chat, (await play.take(events, 2))[0].data["reply_id"]))
        endings.append((context, events))
    leaving.signal(signal.SIGTERM)
    last = []
    for context, events in endings:
        last.append([event async for event in events][-1].data["status"])
        await context.__aexit__(None, None, None)
    assert last == ["complete", "interrupted"]
    assert await leaving.until_exit() in (0, -signal.SIGTERM)
    stored = [await reader.message(*reply) for reply in replies]
    assert [(message["status"], message["content"]) for message in stored] == [
        ("complete", "short"),
        ("interrupted", "long"),
    ]


async def test_a_running_reply_is_left_alone_when_another_process_starts(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    first = service
    gate = asyncio.Event()
    suite.default = play.says("still", until=gate)
    user = first.user()
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        second = await start()
        await asyncio.sleep(2.5)  # longer than a lease: heartbeats keep it
        assert (await second.user(user.principal).message(chat, reply))["status"] == "streaming"
        gate.set()
        assert [event async for event in events][-1].data["status"] == "complete"


async def test_a_reply_streams_on_while_the_database_is_killed_and_comes_back(
    start: Any, suite: Any, play: Any, postgres: Any, tmp_path: Path
) -> None:
    server = PostgresServer(
        data_dir=tmp_path / "data",
        port=_free_port(),
        password="x" * 16,
        log_path=tmp_path / "server.log",
        throwaway=True,
    )
    await asyncio.to_thread(server.initialise)
    await asyncio.to_thread(server.start)
    try:
        database = await asyncio.to_thread(type(postgres)(server).clone, "chat-service")
        user = (await start(database_url=database.app_url, turn_lease_s=15)).user()
        suite.default = play.says(*TOKENS[:100], gap_s=0.02)
        chat = await user.new_chat()
        async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as events:
            seen = await play.take(events, 20)
            os.kill(_postmaster(tmp_path), signal.SIGKILL)
            seen += await play.take(events, 20)
            await asyncio.to_thread(server.start)
            seen += [event async for event in events]
        assert play.text_of(seen) == "".join(TOKENS[:100])
        assert seen[-1].data["status"] == "complete"
        reply = seen[0].data["reply_id"]
        assert (await user.message(chat, reply))["content"] == play.text_of(seen)
        assert play.text_of(await user.resume(chat, reply)) == play.text_of(seen)
    finally:
        await asyncio.to_thread(server.stop)


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
