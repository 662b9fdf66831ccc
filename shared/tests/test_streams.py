"""Event streams: how they are answered, resumed, cut off and counted; and who is woken for them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from identities import make_principal
from servers import serve
from shared.errors import TooManyRequests
from shared.streams import DocumentedEvents, EventStream, OpenStreams, SeenEventId
from shared.wakeups import Wakeups, set_within
from starlette.responses import Response


async def asked(path: str, **headers: str) -> httpx.Response:
    """The answer of a service whose stream tells the last event its reader has seen."""
    api = FastAPI()

    @api.get("/events", response_class=DocumentedEvents)
    async def events(seen: SeenEventId) -> Response:
        return EventStream(
            one(b"data: %d\n\n" % seen), write_timeout_s=5, on_close=lambda: None, headers={"x-run": "7"}
        )

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api), base_url="http://service", headers=headers
    ) as http:
        return await http.get(path)


async def one(frame: bytes) -> AsyncIterator[bytes]:
    yield frame


async def test_a_stream_is_neither_stored_nor_buffered_on_its_way() -> None:
    answer = await asked("/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (
        answer.headers["cache-control"],
        answer.headers["x-accel-buffering"],
        answer.headers["x-run"],
    ) == ("no-store", "no", "7")


@pytest.mark.parametrize(
    ("query", "header", "seen"),
    [
        ("", None, 0),
        ("?after=7", None, 7),
        ("", "9", 9),
        ("?after=0", "9", 0),
        ("", "-1", 0),
        ("", "x", 0),
        ("", "٣", 0),
        ("", "9" * 20, 0),
    ],
)
async def test_a_reader_says_what_it_has_seen(query: str, header: str | None, seen: int) -> None:
    headers: dict[str, Any] = {} if header is None else {"last-event-id": header.encode()}
    assert (await asked(f"/events{query}", **headers)).text == f"data: {seen}\n\n"


@pytest.mark.parametrize("after", ["-1", "x", str(2**62 + 1)])
async def test_an_id_that_cannot_be_is_refused(after: str) -> None:
    assert (await asked(f"/events?after={after}")).status_code == 422


@pytest.mark.parametrize("reads", [True, False])
async def test_a_reader_that_takes_nothing_is_cut_off_and_counted_no_more(reads: bool) -> None:
    closed = asyncio.Event()
    frames_max, patience_s = (200, 20) if reads else (1_000_000, 0.3)

    async def many() -> AsyncIterator[bytes]:
        for _ in range(frames_max):
            yield b"data: %b\n\n" % (b"x" * 10_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await EventStream(many(), write_timeout_s=patience_s, on_close=closed.set)(scope, receive, send)

    async with (
        serve(app, lifespan="off") as base_url,
        httpx.AsyncClient(timeout=60, trust_env=False) as http,
        http.stream("GET", base_url) as answer,
    ):
        if reads:
            assert len(await answer.aread()) == frames_max * 10_008
        async with asyncio.timeout(20):
            await closed.wait()
        if not reads:
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()


def test_each_person_has_so_many_streams() -> None:
    one_person, another = make_principal(), make_principal()
    streams = OpenStreams(2, lambda count_max: TooManyRequests(f"{count_max} are open"))
    streams.enter(one_person)
    streams.enter(one_person)
    streams.enter(another)
    with pytest.raises(TooManyRequests, match="2 are open"):
        streams.enter(one_person)
    assert len(streams) == 3
    streams.leave(one_person)
    streams.enter(one_person)
    for person in (one_person, one_person, another):
        streams.leave(person)
    assert len(streams) == 0


async def test_those_who_watch_an_id_are_woken_until_they_leave() -> None:
    wakeups, watched, other = Wakeups(), uuid4(), uuid4()
    with wakeups.watch(watched) as first, wakeups.watch(watched) as second, wakeups.watch(other) as elsewhere:
        wakeups.wake(watched)
        assert (first.is_set(), second.is_set(), elsewhere.is_set()) == (True, True, False)
        second.clear()
        wakeups.wake_all()
        assert second.is_set()
        assert elsewhere.is_set()
    first.clear()
    wakeups.wake(watched)
    assert not first.is_set()


async def test_waiting_ends_with_the_event_or_its_time() -> None:
    event = asyncio.Event()
    assert not await set_within(event, 0.01)
    waiting = asyncio.ensure_future(set_within(event, 10))
    await asyncio.sleep(0)
    event.set()
    assert await waiting
    assert await set_within(event, 0)
