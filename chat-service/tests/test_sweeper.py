"""What a sweeper leaves alone. No other process runs beside those of each test: theirs would sweep too."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_process_never_sweeps_its_own_turn_of_whatever_kind(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    # The lease ran out while the process hung; nobody else took the turn, so it continues.
    user = (await start(turn_lease_s=60, reaper_interval_s=0.05)).user()
    gate = asyncio.Event()
    suite.default = play.says("one", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        await admin.execute(
            "UPDATE chat.turn SET lease_until = now() - interval '1 s' WHERE message_id = $1", UUID(reply)
        )
        await asyncio.sleep(0.4)
        gate.set()
        assert [each async for each in events][-1].data["status"] == "complete"


async def test_turns_of_code_that_holds_no_lock_end_by_their_lease_only(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    user = (await start(turn_lease_s=60, reaper_interval_s=0.05)).user()
    suite.default = play.says("one", until=asyncio.Event())
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]
        change = (
            "UPDATE chat.turn SET owner = 'old', guarded = false, lease_until = now() + interval '{} s' "
            "WHERE message_id = $1"
        )
        await admin.execute(change.format(30), UUID(reply))
        await asyncio.sleep(0.4)
        assert (
            await admin.fetchval("SELECT status FROM chat.turn WHERE message_id = $1", UUID(reply))
            == "running"
        )
    other = (await start(reaper_interval_s=0.05)).user(user.principal)
    await admin.execute(change.format(-1), UUID(reply))
    assert (await other.until_ended(chat, reply))["status"] == "interrupted"


async def test_a_turn_that_cannot_be_read_does_not_keep_others_from_being_ended(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    user = (await start(turn_lease_s=60, reaper_interval_s=3600)).user()
    suite.default = play.says("kept", until=asyncio.Event())
    replies: list[tuple[str, str]] = []
    async with contextlib.AsyncExitStack() as readers:
        for _ in range(3):
            chat = await user.new_chat()
            events = await readers.enter_async_context(
                user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"})
            )
            replies.append((chat, (await play.take(events, 2))[0].data["reply_id"]))
        ids = [UUID(reply) for _, reply in replies]
        turns = [
            row["id"]
            for row in await admin.fetch(
                "SELECT id FROM chat.turn WHERE message_id = ANY($1) ORDER BY id", ids
            )
        ]
        broken = (
            "INSERT INTO chat.journal (turn_id, first_id, last_id, kind, payload) VALUES ($1, 900, 900, "
            "'step', '{}')"
        )
        await admin.execute(broken, turns[0])
        await admin.execute(
            "UPDATE chat.turn SET owner = 'dead', lease_until = now() - interval '1 s' WHERE id = ANY($1)",
            turns,
        )
        other = (await start(reaper_interval_s=0.05)).user(user.principal)
        for chat, reply in replies[1:]:
            assert (await other.until_ended(chat, reply))["status"] == "interrupted"
        assert (await other.message(*replies[0]))["status"] == "streaming"
