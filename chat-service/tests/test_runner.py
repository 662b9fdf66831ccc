"""ReplyEnding a running turn from outside."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from chat_service.writing import repository
from sqlalchemy.exc import DBAPIError


@pytest.mark.asyncio(loop_scope="module")
async def test_a_turn_whose_end_cannot_be_written_is_left_to_the_sweeper(
    start: Any, suite: Any, play: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    user, runner = service.user(), service.app.state.runner
    gate = asyncio.Event()
    suite.default = play.says("so far", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]

        async def journaled() -> bool:
            rows = (
                "SELECT count(*) FROM chat.journal JOIN chat.turn ON turn.id = turn_id WHERE message_id = $1"
            )
            return await admin.fetchval(rows, UUID(reply)) > 0

        await play.until(journaled)

        async def cannot(*_: Any) -> Any:
            raise TypeError("nobody foresaw this")

        with monkeypatch.context() as patched:
            patched.setattr(runner._closing, "store", cannot)
            gate.set()

            async def detached() -> bool:
                return len(runner) == 0

            await play.until(detached)
        rest = [event async for event in events]
    message = await user.until_ended(chat, reply)
    assert (message["status"], message["content"]) == ("interrupted", "so far")
    assert rest[-1].data["status"] == "interrupted"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_time_out_inside_a_turn_is_not_told_as_the_limit_of_replies(
    start: Any, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    user = service.user()

    async def times_out(_running: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(service.app.state.runner._writers.plain, "write", times_out)
    events = await user.say(await user.new_chat())
    assert [event.data["code"] for event in events if event.event == "error"] == ["internal_error"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_dispatch_is_noted_once_the_database_is_back(
    start: Any, suite: Any, play: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    user = service.user()
    note, failures = repository.note_dispatches, 1

    async def away_once(session: Any, noted: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError
        await note(session, noted)

    monkeypatch.setattr(repository, "note_dispatches", away_once)
    suite.default = play.says("so far", until=asyncio.Event())
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 2))[0].data["reply_id"]

        async def noted() -> bool:
            known = await admin.fetchval(
                "SELECT dispatch_id FROM chat.turn WHERE message_id = $1", UUID(reply)
            )
            return known == suite.dispatch_ids[-1]

        await play.until(noted)
    assert failures == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_the_end_of_a_reply_waits_for_a_database_that_is_away_and_not_for_one_that_refuses(
    start: Any, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start(turn_lease_s=1)
    user, closing = service.user(), service.app.state.runner._closing
    store = closing.store
    for error, tries, status in (
        (ConnectionError(), 3, "complete"),
        (DBAPIError("no", {}, ValueError("no")), 1, "interrupted"),
    ):
        calls = 0

        async def fails_at_first(*arguments: Any, error: Exception = error, tries: int = tries) -> Any:
            nonlocal calls
            calls += 1
            if calls < 3:
                raise error
            return await store(*arguments)

        monkeypatch.setattr(closing, "store", fails_at_first)
        events = await user.say(await user.new_chat())
        assert (events[-1].data["status"], calls) == (status, tries)


class _AnswersLost:
    """A database whose transactions are committed, but nobody hears of it; `lost` is set from the first
    one on.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self.lost = asyncio.Event()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        async with self._database.transaction() as session:
            yield session
        self.lost.set()
        raise ConnectionError


@pytest.mark.asyncio(loop_scope="module")
async def test_a_reply_is_complete_though_nobody_heard_that_its_journal_was_committed(
    start: Any, suite: Any, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    user, journal = service.user(), service.app.state.runner._journal
    database = _AnswersLost(journal._database)
    monkeypatch.setattr(journal, "_database", database)
    suite.default = play.says("so", " far", until=database.lost)
    chat = await user.new_chat()
    events = await user.say(chat)
    message = await user.message(chat, events[0].data["reply_id"])
    assert (message["status"], message["content"], message["finish_reason"]) == ("complete", "so far", "stop")
    assert message["usage"]["cost_nano"] == 1200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_heartbeat_that_waits_for_a_release_does_not_renew_the_lease_given_up(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    service = await start(turn_lease_s=600)
    user, runner = service.user(), service.app.state.runner
    gate = asyncio.Event()
    suite.default = play.says("so far", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        await play.take(events, 2)
        (turn_id,) = runner.turn_ids
        async with runner._database.transaction() as session:
            await repository.release(session, turn_id=turn_id, owner=runner.owner)
            beat = asyncio.ensure_future(runner.heartbeat())
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"

            async def waits() -> bool:
                return await admin.fetchval(waiting, "UPDATE%turn SET lease_until%") > 0

            await play.until(waits)
        await beat
        given_up = "SELECT lease_until <= now() FROM chat.turn WHERE id = $1"
        assert await admin.fetchval(given_up, turn_id)
        gate.set()
