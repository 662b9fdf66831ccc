"""Following a reply: other tabs, resuming anywhere, slow readers."""

import asyncio
import contextlib
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_resuming_after_any_event_gives_the_same_text(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says(*["the", "quick", "brown", "fox"], gap_s=0.06)
    chat = await user.new_chat()
    seen = await user.say(chat)
    reply = seen[0].data["reply_id"]
    for count in range(len(seen) + 1):
        rest = await user.resume(chat, reply, seen[count - 1].id if count else 0)
        assert play.text_of(rest, play.text_of(seen[:count])) == "thequickbrownfox", count
        # Also a reader that has them all is told the end: no stream of a reply comes back empty.
        assert rest[-1].id == seen[-1].id
        assert rest[-1].data["status"] == "complete"


async def test_a_replay_joins_tokens_and_carries_the_last_id(user: Any) -> None:
    chat = await user.new_chat()
    seen = await user.say(chat)
    replay = await user.resume(chat, seen[0].data["reply_id"])
    assert [(event.id, event.event) for event in replay] == [
        (1, "message"),
        (4, "delta"),
        (5, "usage"),
        (6, "done"),
    ]
    assert replay[0].data == seen[0].data


async def test_while_it_streams_every_tab_sees_the_same(user: Any, suite: Any, play: Any) -> None:
    suite.default = play.says(*[f"{n} " for n in range(40)], gap_s=0.01)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 3)
        reply = seen[0].data["reply_id"]
        tabs = [
            asyncio.ensure_future(user.resume(chat, reply, event.id if event else 0))
            for event in (None, *seen)
        ]
        seen += [event async for event in events]
    assert [event.id for event in seen] == list(range(1, 44))
    whole = play.text_of(seen)
    for tab, known in zip(tabs, (0, 1, 2, 3), strict=True):
        assert play.text_of(await tab, play.text_of(seen[:known])) == whole


async def test_an_id_past_the_journal_gets_a_reset(user: Any, suite: Any, play: Any) -> None:
    chat = await user.new_chat()
    reply = (await user.say(chat))[0].data["reply_id"]
    events = await user.resume(chat, reply, 5_000)
    assert [event.event for event in events] == ["reset", "usage", "done"]
    assert play.text_of(events, "something else") == "Hello there!"


async def test_an_id_past_a_running_reply_gets_a_reset_and_the_rest(user: Any, suite: Any, play: Any) -> None:
    gate = asyncio.Event()
    suite.default = play.says("a", "b", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await play.take(events, 3))[0].data["reply_id"]
        asyncio.get_running_loop().call_later(0.2, gate.set)
        rest = await user.resume(chat, reply, 99)
    assert rest[0].event == "reset"
    assert (play.text_of(rest, "other"), rest[-1].data["status"]) == ("ab", "complete")


async def test_an_id_that_no_event_can_have_is_as_none(user: Any, play: Any) -> None:
    chat = await user.new_chat()
    reply = (await user.say(chat))[0].data["reply_id"]
    url = f"/api/v1/chats/{chat}/messages/{reply}/stream"
    rest = await user.collect("GET", url, headers={"last-event-id": "9" * 20})
    assert (rest[0].event, play.text_of(rest)) == ("message", "Hello there!")


@pytest.mark.parametrize("after", [0, 2, 6, 99])
async def test_a_database_that_is_away_for_a_moment_does_not_empty_the_stream(
    start: Any, suite: Any, play: Any, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    service = await start()
    user = service.user()
    chat = await user.new_chat()
    seen = await user.say(chat)
    database, left = service.app.state.streams._database, 3

    class Away:
        """Fails at the beginning of the first look, then in the middle of the next ones."""

        @contextlib.asynccontextmanager
        async def transaction(self) -> Any:
            nonlocal left
            left -= 1
            if left == 2:
                raise ConnectionError
            async with database.transaction() as session:
                yield session
                if left >= 0:
                    raise ConnectionError

    monkeypatch.setattr(service.app.state.streams, "_database", Away())
    rest = await user.resume(chat, seen[0].data["reply_id"], after)
    assert left < 0
    assert play.text_of(rest, play.text_of([event for event in seen if event.id <= after])) == "Hello there!"
    assert (rest[0].event == "message") == (after == 0)
    assert rest[-1].data["status"] == "complete"


async def test_a_process_that_shuts_down_begins_no_stream(start: Any) -> None:
    service = await start()
    user = service.user()
    chat = await user.new_chat()
    reply = (await user.say(chat))[0].data["reply_id"]
    service.app.state.streams.closing = True
    answer = await user.http.get(f"/api/v1/chats/{chat}/messages/{reply}/stream")
    assert (answer.status_code, answer.json()["code"], bool(answer.headers["retry-after"])) == (
        503,
        "chat_restarting",
        True,
    )


async def test_last_event_id_resumes_like_after(user: Any, play: Any) -> None:
    chat = await user.new_chat()
    seen = await user.say(chat)
    url = f"/api/v1/chats/{chat}/messages/{seen[0].data['reply_id']}/stream"
    rest = await user.collect("GET", url, headers={"last-event-id": "2"})
    assert play.text_of(rest, play.text_of(seen[:2])) == "Hello there!"


async def test_when_the_journal_is_gone_the_stored_reply_is_the_stream(
    start: Any, suite: Any, play: Any
) -> None:
    service = await start(journal_retention_s=0)
    user = service.user()
    chat = await user.new_chat()
    seen = await user.say(chat)
    await service.app.state.purge()
    reply = seen[0].data["reply_id"]
    events = await user.resume(chat, reply)
    assert [event.event for event in events] == ["reset", "usage", "done"]
    assert {event.id for event in events} == {seen[-1].id}
    assert play.text_of(events) == "Hello there!"
    assert [event.event for event in await user.resume(chat, reply, seen[-1].id)] == ["usage", "done"]


async def test_a_silent_stream_sends_comments(start: Any, suite: Any, play: Any) -> None:
    user = (await start(stream_ping_s=0.1)).user()
    gate = asyncio.Event()
    suite.default = play.says("x", until=gate)
    chat = await user.new_chat()
    url, headers = f"/api/v1/chats/{chat}/messages", {"accept": "text/event-stream"}
    raw = b""
    async with user.http.stream("POST", url, json={"content": "hi"}, headers=headers) as response:
        async for chunk in response.aiter_raw():
            raw += chunk
            if raw.count(b": ping") == 2:
                gate.set()
    assert raw.count(b": ping") >= 2
    assert b"event: done" in raw


async def test_a_slow_reader_is_cut_holds_up_nobody_and_can_resume(start: Any, suite: Any, play: Any) -> None:
    service = await start(stream_write_timeout_s=1, reply_content_max_bytes=50_000_000)
    user = service.user()
    piece = "x" * 250_000
    suite.default = play.says(*[piece] * 30, gap_s=0.03)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 2)
        reply = seen[0].data["reply_id"]
        slow = _open_without_reading(service.base_url, user, f"/api/v1/chats/{chat}/messages/{reply}/stream")
        seen += [event async for event in events]
    assert play.text_of(seen) == piece * 30

    async def cut() -> bool:
        return len(service.app.state.streams.open) == 0

    await play.until(cut)
    got = await asyncio.to_thread(_read_all, slow)
    assert b"event: done" not in got
    assert play.text_of(await user.resume(chat, reply)) == piece * 30


def _open_without_reading(base_url: str, user: Any, path: str) -> socket.socket:
    host, port = urlsplit(base_url).hostname, urlsplit(base_url).port
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, port))
    token = user.http.headers["authorization"]
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    return connection


def _read_all(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    got = b""
    with connection:
        while chunk := connection.recv(65536):
            got += chunk
    return got


async def test_a_reader_that_lags_too_far_is_broken_off_and_can_resume(
    start: Any, suite: Any, play: Any
) -> None:
    user = (await start(stream_lag_max=1)).user()

    async def in_bursts(fake: Any, send: Any) -> None:
        await play.begin(fake, send)
        await play.token(send, "a")
        await asyncio.sleep(0.2)
        chunk = b'data: {"choices":[{"delta":{"content":"b"}}]}\n\n'
        await send({"type": "http.response.body", "body": chunk * 5, "more_body": True})
        await play.finish(send)

    suite.default = in_bursts
    chat = await user.new_chat()
    with pytest.raises(httpx.RemoteProtocolError):
        await user.say(chat)
    page = await user.branch(chat)
    assert play.text_of(await user.resume(chat, page["data"][1]["id"])) == "abbbbb"


async def test_too_many_streams_of_one_person_are_refused_and_end_with_their_readers(
    start: Any, suite: Any, play: Any
) -> None:
    service = await start(streams_per_user_max=2)
    user = service.user()
    gate = asyncio.Event()
    suite.default = play.says("x", until=gate)
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        reply = (await anext(events)).data["reply_id"]
        url = f"/api/v1/chats/{chat}/messages/{reply}/stream"
        async with user.events("GET", url) as second:
            await anext(second)
            refused = await user.http.get(url)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        await play.until(lambda: _opens(user, url))
        gate.set()
        [event async for event in events]


async def _opens(user: Any, url: str) -> bool:
    async with user.http.stream("GET", url) as response:
        return response.status_code == 200
