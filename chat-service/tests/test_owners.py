"""Who writes a turn, and how others see that nobody does: event ids only grow, the dead are seen at once, the
living are left alone.
"""

import asyncio
import contextlib
import signal
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from suite.waiting import is_within

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

TOKENS = [f"{n} " for n in range(400)]


async def _follow_to_the_end(readers: list[Any], chat: str, first: Any, seen: list[Any]) -> None:
    """What a browser does: read, and when the connection breaks ask the next process for what follows the
    last id.
    """
    for reader in readers:
        with contextlib.suppress(httpx.HTTPError):
            if not seen:
                async for each in first:
                    seen.append(each)  # noqa: PERF401 - another task looks at it meanwhile
            else:
                reply = seen[0].data["reply_id"]
                async with reader.events(
                    "GET", f"/api/v1/chats/{chat}/messages/{reply}/stream?after={seen[-1].id}"
                ) as events:
                    async for each in events:
                        seen.append(each)  # noqa: PERF401 - what was seen before the connection broke counts
        if seen[-1].event == "done":
            return
    pytest.fail("the reply never ended")


async def test_ids_only_grow_for_a_reader_whose_process_was_killed(
    start: Any, service: Any, suite: Any, play: Any
) -> None:
    # The journal lags behind what is shown, and the lease is long: the reader is back well before the turn is
    # ended.
    dying = await start.process(journal_flush_interval_s=0.2)
    writer = dying.user()
    reader = service.user(writer.principal)
    suite.default = play.says(*TOKENS, gap_s=0.01)
    chat = await writer.new_chat()
    seen: list[Any] = []

    async def kill_in_the_middle() -> None:
        while len(seen) < 45:  # noqa: ASYNC110 - as soon as the reader has so many
            await asyncio.sleep(0.001)
        dying.signal(signal.SIGKILL)

    killing = asyncio.ensure_future(kill_in_the_middle())
    async with writer.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}) as first:
        await _follow_to_the_end([writer, reader], chat, first, seen)
    await killing
    ids = [each.id for each in seen]
    assert ids == sorted(ids)
    assert seen[-1].data["status"] == "interrupted"
    reply = seen[0].data["reply_id"]
    assert play.text_of(seen) == (await reader.message(chat, reply))["content"]


async def test_a_dead_process_is_seen_long_before_its_lease_ends(start: Any, suite: Any, play: Any) -> None:
    other = await start(turn_lease_s=10, reaper_interval_s=0.5)
    dying = await start.process(turn_lease_s=10)
    writer = dying.user()
    reader = other.user(writer.principal)
    suite.default = play.says(*TOKENS, gap_s=0.05)
    chat = await writer.new_chat()
    with contextlib.suppress(httpx.HTTPError):
        async with writer.events(
            "POST", f"/api/v1/chats/{chat}/messages", json={"content": "count"}
        ) as events:
            reply = (await play.take(events, 5))[0].data["reply_id"]
            dying.signal(signal.SIGKILL)
            killed_at_s = time.monotonic()
    stored = await reader.until_ended(chat, reply)
    assert stored["status"] == "interrupted"
    assert is_within(time.monotonic() - killed_at_s, 5)  # of a lease of 10


async def test_an_owner_that_must_connect_again_is_not_taken_for_dead(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    owner, other = await start(turn_lease_s=10), await start(turn_lease_s=10, reaper_interval_s=0.05)
    user = owner.user()
    gate = asyncio.Event()
    suite.default = play.says("still here", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        for _ in range(3):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = "
                "'ShareLock'"
            )
            await asyncio.sleep(0.4)
        assert (await other.user(user.principal).message(chat, reply))["status"] == "streaming"
        gate.set()
        assert [each async for each in events][-1].data["status"] == "complete"


async def test_a_stop_is_heard_by_its_signal_and_asks_the_database_a_few_times(
    start: Any, suite: Any, play: Any
) -> None:
    service = await start(follow_poll_s=30, stop_cost_wait_s=0.5)
    user = service.user()
    suite.default = play.says("kept", until=asyncio.Event())
    chat = await user.new_chat()
    statements: list[str] = []
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        engine = service.app.state.database.engine.sync_engine
        with _noted(engine, statements):
            answer = await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
    assert answer.json()["status"] == "stopped"
    assert len([statement for statement in statements if "FROM message" in statement]) <= 8


@contextlib.contextmanager
def _noted(engine: Any, statements: list[str]) -> Any:
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)
