"""Bodies and answers on their way through the proxy, and what happens when one of the three leaves
or breaks.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from gateway_service.connections.limits import ConnectionLimits
from gateway_service.proxy.config import ProxyConfig
from gateways.proxy_stage import TOKEN, Stage, answer, raw, read_body, stage
from raw_server import serve as raw_server
from shared.http import Timeouts
from suite.waiting import eventually

AUTH = {"authorization": f"Bearer {TOKEN}"}
AUTH_LINE = f"Authorization: Bearer {TOKEN}\r\n".encode()


def client(setting: Stage, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=setting.url, headers=AUTH, timeout=5, **options)


async def test_a_body_over_the_limit_is_413_declared_or_streamed() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with stage(config=ProxyConfig(body_size_max=10_000)) as setting, client(setting) as http:
        assert (await http.post("/api/v1/chats", content=b"x" * 10_001)).status_code == 413
        assert setting.seen == []
        assert (await http.post("/api/v1/chats", content=endless())).status_code == 413
        assert (await http.post("/api/v1/chats", content=b"x" * 10_000)).status_code == 200
        assert setting.bodies == [b"x" * 10_000]


async def test_a_large_upload_is_streamed_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(64):
            yield bytes([number]) * 65_536

    async with stage() as setting, client(setting) as http:
        assert (await http.post("/api/v1/retrieval/files", content=pieces())).status_code == 200
        assert setting.bodies[0] == b"".join([bytes([number]) * 65_536 for number in range(64)])
        assert (await http.post("/api/v1/retrieval/files", content=b"z" * 3_000_000)).status_code == 200
        assert setting.headers()[b"content-length"] == b"3000000"


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "PATCH", "OPTIONS"])
async def test_every_method_is_passed_on(method: str) -> None:
    async with stage() as setting, client(setting) as http:
        assert (await http.request(method, "/api/v1/chats/1")).status_code == 200
        assert setting.seen[0]["method"] == method


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_body(status: int) -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, status, b"")

    async with stage(upstream) as setting, client(setting) as http:
        for _ in range(2):
            assert (await http.get("/api/v1/chats")).status_code == status


async def test_events_pass_one_by_one_and_unchanged() -> None:
    go = asyncio.Queue[None]()

    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        for number in range(20):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await go.get()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with stage(upstream) as setting, client(setting) as http:
        async with http.stream("POST", "/v1/chat/completions", json={}) as response:
            assert response.status_code == 200
            number = 0
            async for piece in response.aiter_raw():
                assert piece == b"data: %d\n\n" % number
                number += 1
                go.put_nowait(None)
        assert number == 20


@pytest.mark.parametrize("events_before", [0, 1, 3])
async def test_a_client_that_leaves_cancels_the_service(events_before: int) -> None:
    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        if events_before:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"text/event-stream")],
                }
            )
        for _ in range(events_before):
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            await asyncio.sleep(0.01)
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ConnectionResetError

    async with stage(upstream) as setting:
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 2\r\n\r\n{}"
        )
        await eventually(lambda: len(setting.seen) == 1)
        if events_before:
            await reader.read(10)
            await asyncio.sleep(0.05)
        writer.transport.abort()
        await eventually(lambda: setting.left == 1, 1.0)
        assert setting.pool is not None
        await eventually(lambda: setting.pool is not None and setting.pool.connections == 0)


async def test_a_client_that_leaves_during_its_upload_cancels_the_service() -> None:
    async def upstream(_scope: Any, receive: Any, _send: Any) -> None:
        await read_body(receive)

    async with stage(upstream) as setting:
        _, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(
            b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 100\r\n\r\npart"
        )
        await eventually(lambda: len(setting.seen) == 1)
        writer.transport.abort()
        await eventually(lambda: setting.left == 1, 1.0)


async def test_a_service_that_is_down_is_503_and_the_breaker_opens() -> None:
    config = ProxyConfig(breaker_failures_max=3, breaker_open_s=30)
    async with (
        stage(origin="http://127.0.0.1:1", config=config, per_minute=5) as setting,
        client(setting) as http,
    ):
        answers = [await http.get("/v1/models") for _ in range(10)]
        assert {each.status_code for each in answers} == {503}
        assert {each.json()["error"]["code"] for each in answers} == {"upstream_down"}
        assert {each.headers["retry-after"] for each in answers} == {"2"}
        assert (await http.get("/own")).status_code == 200


async def test_the_breaker_lets_one_request_try_and_closes_again() -> None:
    ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    healthy = False

    async def flaky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if healthy:
            writer.write(ok)
            await writer.drain()

    config = ProxyConfig(breaker_failures_max=2, breaker_open_s=0.3)
    async with (
        raw_server(flaky) as service,
        stage(origin=service.origin, config=config) as setting,
        client(setting) as http,
    ):
        answers = [await http.get("/v1/models") for _ in range(3)]
        assert [each.status_code for each in answers] == [502, 502, 503]
        assert {each.headers["retry-after"] for each in answers} == {"2"}
        healthy = True
        await asyncio.sleep(0.35)
        assert [(await http.get("/v1/models")).status_code for _ in range(3)] == [200, 200, 200]


async def test_a_broken_answer_is_502_and_a_late_one_504() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/api/v1/chats" in head:
            await asyncio.sleep(5)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n")
        await writer.drain()

    config = ProxyConfig(timeouts=Timeouts(first_byte_s=0.3))
    async with (
        raw_server(broken) as service,
        stage(origin=service.origin, config=config) as setting,
        client(setting) as http,
    ):
        assert (await http.get("/v1/models")).status_code == 502
        late = await http.get("/api/v1/chats")
        assert late.status_code == 504
        assert late.json()["code"] == "upstream_timeout"
        assert late.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("path", "marker"),
    [("/v1/chat/completions", b'data: {"error":{'), ("/api/v1/chats/1/messages", b"event: error\ndata: {")],
)
async def test_a_stream_that_breaks_ends_in_an_error_event(path: str, marker: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: "
            b"chunked\r\n\r\n9\r\ndata: a\n\n\r\n"
        )
        await writer.drain()

    async with raw_server(cut) as service, stage(origin=service.origin) as setting, client(setting) as http:
        response = await http.get(path)
        assert response.status_code == 200
        assert response.content.startswith(b"data: a\n\n")
        assert marker in response.content
        # Only the services' own streams can be read on; a completion is asked for again.
        assert (b"Last-Event-ID" in response.content) == marker.startswith(b"event:")


async def test_a_plain_body_that_breaks_is_seen_as_cut() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n")
        await writer.drain()

    async with raw_server(cut) as service, stage(origin=service.origin) as setting, client(setting) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/api/v1/chats")


async def test_cors_answers_allowed_origins_only() -> None:
    config = ProxyConfig(cors_origins=frozenset({"https://app.example"}))
    preflight = {"access-control-request-method": "POST"}
    async with stage(config=config) as setting, client(setting) as http:
        allowed = await http.options("/v1/models", headers={"origin": "https://app.example", **preflight})
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in allowed.headers
        assert (
            await http.options("/v1/models", headers={"origin": "https://evil.example", **preflight})
        ).status_code == 403
        for path in ("/v1/models", "/own"):
            own = await http.get(path, headers={"origin": "https://app.example"})
            assert own.headers["access-control-allow-origin"] == "https://app.example"
            assert (
                "access-control-allow-origin"
                not in (await http.get(path, headers={"origin": "https://evil.example"})).headers
            )


async def test_an_upgrade_is_answered_501() -> None:
    async with stage() as setting:
        upgrade = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        received = await raw(setting.port, b"GET /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + upgrade)
        assert received.startswith(b"HTTP/1.1 501")
        assert setting.seen == []


async def test_an_unknown_host_is_refused() -> None:
    config = ProxyConfig(hosts=frozenset({"127.0.0.1", "[::1]"}))
    async with stage(config=config) as setting, client(setting) as http:
        assert (await http.get("/own")).status_code == 200
        assert (await http.get("/own", headers={"host": "evil.example"})).status_code == 400
        assert (await http.get("/own", headers={"host": "[::1]:8000"})).status_code == 200


async def test_more_headers_than_the_limit_are_431() -> None:
    async with stage() as setting, client(setting) as http:
        assert (
            await http.get("/api/v1/chats", headers={f"x-{number}": "1" for number in range(120)})
        ).status_code == 431
        assert (await http.get("/api/v1/chats", headers={"x-large": "a" * 40_000})).status_code == 431
        assert setting.seen == []


async def test_an_upload_that_stalls_is_given_up() -> None:
    async def upstream(_scope: Any, receive: Any, _send: Any) -> None:
        await read_body(receive)

    async with stage(upstream, config=ProxyConfig(body_idle_s=0.2)) as setting:
        head = b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 100\r\n\r\npart"
        assert (await raw(setting.port, head)).startswith(b"HTTP/1.1 408")
        await eventually(lambda: setting.left == 1)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (
            await asyncio.wait_for(
                send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}), 10
            )
        ) is None:
            if setting_done:
                raise ConnectionResetError

    setting_done: list[int] = []
    async with stage(upstream, config=ProxyConfig(connections=ConnectionLimits(write_s=0.3))) as setting:
        _, writer = await asyncio.open_connection("127.0.0.1", setting.port, limit=1024)
        writer.write(b"GET /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"\r\n")
        await eventually(lambda: len(setting.seen) == 1)
        await eventually(lambda: setting.pool is not None and setting.pool.connections == 1)
        await eventually(lambda: setting.pool is not None and setting.pool.connections == 0, 6)
        setting_done.append(1)
        writer.close()
