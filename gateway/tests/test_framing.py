"""Requests whose bytes are out of the ordinary: endless heads, fields after the body, garbage behind good
requests, old versions.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from gateways.proxy_stage import TOKEN, answer, raw, read_body, stage
from shared.adapters.uvicorn_http import HEAD_BYTES_MAX
from suite.waiting import eventually

AUTH_LINE = f"Authorization: Bearer {TOKEN}\r\n".encode()
GOOD = b"GET /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"\r\n"
CHUNKED = b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Transfer-Encoding: chunked\r\n\r\n"
GARBAGE = b"\x00\x01 garbage\r\n\r\n"
ENDLESS = {
    "value": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a" * 4096),
    "target": (b"GET /", b"a" * 4096),
    "fields": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n" * 700),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"a: b\r\n" * 700),
    "extension": (CHUNKED + b"2;a=", b"a" * 4096),
}


@pytest.mark.parametrize("where", ENDLESS)
async def test_what_never_becomes_a_request_ends_the_connection(where: str) -> None:
    async with stage() as setting:
        start, piece = ENDLESS[where]
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(start)
        sent = 0
        await eventually(lambda: setting.connections == 1)
        async with asyncio.timeout(20):
            while setting.connections and sent < 10 * HEAD_BYTES_MAX:
                writer.write(piece)
                sent += len(piece)
                await asyncio.sleep(0)
        assert sent < 10 * HEAD_BYTES_MAX
        received = b""
        try:
            received = await reader.read()
        except ConnectionResetError:
            return  # bytes that were on their way when it closed
        finally:
            writer.close()
        assert received.startswith(b"HTTP/1.1 431")


async def test_a_head_just_below_the_bound_is_answered_by_the_proxy() -> None:
    async with stage() as setting:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (HEAD_BYTES_MAX - 1000) + b"\r\n\r\n"
        received = await raw(setting.port, head + GOOD, answers=2)
        assert [part[1:4] for part in received.split(b"HTTP/1.1")[1:]] == [b"431", b"200"]


async def test_a_long_upload_of_small_pieces_is_no_endless_head() -> None:
    async with stage() as setting:
        pieces = b"10\r\n" + b"a" * 16 + b"\r\n"
        received = await raw(setting.port, CHUNKED + pieces * 40_000 + b"0\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 200")
        assert setting.bodies == [b"a" * 640_000]


async def test_fields_after_the_body_are_not_those_of_the_request() -> None:
    async with stage() as setting:
        request = CHUNKED.replace(AUTH_LINE, b"") + b"2\r\nhi\r\n0\r\n" + AUTH_LINE + b"Host: evil\r\n\r\n"
        assert (await raw(setting.port, request)).startswith(b"HTTP/1.1 401")
        request = CHUNKED + b"2\r\nhi\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\nX-Late: 1\r\n\r\n"
        assert (await raw(setting.port, request)).startswith(b"HTTP/1.1 200")
        assert b"x-late" not in setting.headers()


@pytest.mark.parametrize("count", [1, 3])
async def test_garbage_does_not_take_the_answers_before_it(count: int) -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await answer(send, body=b"good")

    async with stage(upstream) as setting:
        received = await raw(setting.port, GOOD * count + GARBAGE * 3, answers=count + 1, quiet_s=1)
        statuses = [part[1:4] for part in received.split(b"HTTP/1.1")[1:]]
        assert statuses == [b"200"] * count + [b"400"]
        assert received.count(b"good") == count


async def test_garbage_does_not_break_into_a_stream() -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        for number in range(5):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})

    async with stage(upstream) as setting:
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(GOOD)
        received = await reader.readuntil(b"data: 0\n\n")
        writer.write(GARBAGE)
        async with asyncio.timeout(20):
            received += await reader.read()
        writer.close()
        whole, _, rest = received.partition(b"\r\n0\r\n\r\n")
        assert b"HTTP/1.1 400" not in whole
        assert all(b"data: %d\n\n" % number in whole for number in range(5))
        assert rest.startswith(b"HTTP/1.1 400")


async def test_a_broken_upload_behind_another_request_does_not_take_its_answer() -> None:
    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await answer(send, body=await read_body(receive) or b"good")

    async with stage(upstream) as setting:
        received = await raw(setting.port, GOOD + CHUNKED + b"zz\r\nhello", answers=2, quiet_s=1)
        assert [part[1:4] for part in received.split(b"HTTP/1.1")[1:]] == [b"200", b"400"]


async def test_names_of_fields_may_be_written_in_capitals_by_an_application() -> None:
    async def own(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"Content-Length", b"2"), (b"X-Kind", b"Own")],
            }
        )
        await send({"type": "http.response.body", "body": b"ok"})

    async with stage(own=own) as setting:
        received = await raw(setting.port, b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"content-length: 2\r\nx-kind: Own\r\n" in received
        assert b"transfer-encoding" not in received


async def test_an_answer_whose_head_cannot_be_written_is_a_500() -> None:
    async def own(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-kind", b"one\r\ntwo: 2")]})

    async with stage(own=own) as setting:
        received = await raw(setting.port, b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 500")
        assert b"two: 2" not in received


async def test_a_client_of_the_old_version_gets_no_pieces() -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"two"})

    async with stage(upstream) as setting:
        received = await raw(setting.port, GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == b"one two"


STARTS = [
    {"http": "h11", "lifespan": "on"},
    {"http": "httptools"},
    {"log_level": "trace"},
    {"proxy_headers": False},
]


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """uvicorn sets the levels of its loggers for good."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize(
    "options",
    [
        {"http": "h11", "lifespan": "on"},
        {"http": "httptools"},
        {"log_level": "trace"},
        {"proxy_headers": False},
    ],
)
async def test_however_uvicorn_is_started_the_proxy_has_its_own_connections(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(
        sys.modules, "uvicorn.protocols.http.h11_impl", raising=False
    )  # the command loads it after the application
    async with stage(options=options) as setting:
        assert (await raw(setting.port, GOOD)).startswith(b"HTTP/1.1 200")
        assert setting.seen[0]["path"] == "/api/v1/chats"
