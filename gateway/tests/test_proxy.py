"""What crosses the gateway's proxy and what does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from gateway_service.connections.limits import ConnectionLimits
from gateway_service.proxy.config import ProxyConfig
from gateways.proxy_stage import HOP, TOKEN, Stage, answer, raw, read_body, stage
from raw_server import serve as raw_server
from raw_server import until
from shared.http import Timeouts

AUTH = {"authorization": f"Bearer {TOKEN}"}
AUTH_LINE = f"Authorization: Bearer {TOKEN}\r\n".encode()


def client(setting: Stage, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=setting.url, headers=AUTH, timeout=5, **options)


async def test_path_query_and_body_reach_the_service_untouched() -> None:
    async with stage() as setting, client(setting) as http:
        response = await http.post("/api/v1/chats/x%20y;a?q=%2F+1&q=2", content=b"\x00\xffbody")
        assert response.status_code == 200
        assert setting.seen[0]["raw_path"] == b"/api/v1/chats/x%20y;a"
        assert setting.seen[0]["query_string"] == b"q=%2F+1&q=2"
        assert setting.bodies == [b"\x00\xffbody"]


@pytest.mark.parametrize("path", ["/", "/api/v1/chatsy", "/api/v1/auth/signin", "/v10", "/v1x", "/api/v1/%63hats"])
async def test_what_no_service_owns_goes_to_the_gateways_own_application(path: str) -> None:
    async with stage() as setting, client(setting) as http:
        assert (await http.get(path)).text.startswith("own /")
        assert setting.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/chats/a%2fb", "/api/v1/chats/a%2Fb", "/api/v1/chats/a%5cb", "/api/v1/chats/a\\b", "/api/v1/chats/..",
        "/api/v1/chats/../billing", "/api/v1/chats/./x", "/api/v1/chats/%2e%2e/x", "/api/v1/chats/.%2E", "/api/v1/chats/..;/x",
        "/api/v1/chats/a%00", "/api/v1/chats/a%zz",
    ],
)  # fmt: skip
async def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    async with stage() as setting:
        received = await raw(setting.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode() + AUTH_LINE + b"\r\n")
        assert received.startswith(b"HTTP/1.1 400")
        assert setting.seen == []


@pytest.mark.parametrize("path", ["/internal/v1/reservations", "/metrics", "/internal", "/%69nternal/x", "/internal//x", "/metrics/"])
async def test_inner_routes_do_not_exist_from_outside(path: str) -> None:
    async with stage() as setting, client(setting) as http:
        response = await http.get(path)
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


async def test_the_service_sees_the_hop_token_and_never_the_callers() -> None:
    async with stage() as setting, client(setting) as http:
        await http.get("/v1/models", headers={"x-api-key": "atr-secret", "cookie": "atrium_refresh=secret"})
        headers = setting.headers()
        assert headers[b"authorization"] == HOP
        assert b"cookie" not in headers
        assert b"x-api-key" not in headers


async def test_spoofed_identity_and_hop_headers_are_dropped() -> None:
    spoofed = {
        "x-atrium-user": "admin",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": "evil",
        "x-forwarded-anything": "x",
        "x-real-ip": "1.2.3.4",
        "forwarded": "for=1.2.3.4",
        "x_forwarded_for": "1.2.3.4",
        "connection": "keep-alive, x-drop-me",
        "x-drop-me": "1",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "x-keep-me": "1",
    }
    async with stage() as setting, client(setting) as http:
        await http.get("/api/v1/chats", headers=spoofed)
        headers = setting.headers()
        assert headers[b"x-forwarded-for"] == b"127.0.0.1"
        assert headers[b"x-forwarded-proto"] == b"http"
        assert headers[b"x-forwarded-host"] == f"127.0.0.1:{setting.port}".encode()
        assert headers[b"x-keep-me"] == b"1"
        for name in (
            "x-atrium-user",
            "x-forwarded-anything",
            "x-real-ip",
            "forwarded",
            "x_forwarded_for",
            "x-drop-me",
            "te",
            "proxy-authorization",
        ):
            assert name.encode() not in headers


async def test_hop_headers_cookies_and_doubles_of_the_answer_are_dropped() -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(
            send,
            headers=(
                (b"connection", b"keep-alive, x-inner"),
                (b"x-inner", b"1"),
                (b"set-cookie", b"a=b"),
                (b"x-request-id", b"upstreams-own"),
                (b"x-outer", b"1"),
            ),
        )

    async with stage(upstream) as setting, client(setting) as http:
        response = await http.get("/api/v1/chats", headers={"x-request-id": "my-request-1"})
        assert response.headers["x-outer"] == "1"
        assert "x-inner" not in response.headers
        assert "set-cookie" not in response.headers
        assert response.headers.get_list("x-request-id") == ["my-request-1"]
        assert len(response.headers.get_list("date")) == 1
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_request_id_and_trace_go_on_when_sane_and_are_made_otherwise() -> None:
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with stage() as setting, client(setting) as http:
        await http.get("/api/v1/chats", headers={"x-request-id": "abc-12345", "traceparent": parent})
        assert setting.headers()[b"x-request-id"] == b"abc-12345"
        assert setting.headers()[b"traceparent"] == parent.encode()
        await http.get("/api/v1/chats", headers={"x-request-id": "a b", "traceparent": "nonsense"})
        assert len(setting.headers()[b"x-request-id"]) == 32
        assert len(setting.headers()[b"traceparent"]) == 55


SMUGGLED = b"GET /api/v1/billing/ledger HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: +5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length: 5\r\n Transfer-Encoding: chunked\r\n",
    ],
)
async def test_a_request_framed_in_two_ways_reaches_nobody(framing: bytes) -> None:
    async with stage() as setting:
        head = b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + framing + b"\r\n0\r\n\r\n"
        received = await raw(setting.port, head + SMUGGLED, quiet_s=0.5)
        assert received.startswith(b"HTTP/1.1 400")
        assert all(scope["path"] != "/api/v1/billing/ledger" for scope in setting.seen)
        assert setting.bodies == []


async def test_no_token_is_401_in_the_envelope_of_the_surface() -> None:
    async with stage() as setting, httpx.AsyncClient(base_url=setting.url) as http:
        problem = await http.get("/api/v1/chats")
        assert problem.status_code == 401
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.headers["www-authenticate"].startswith("Bearer")
        openai_error = await http.post("/v1/chat/completions", json={})
        assert openai_error.status_code == 401
        assert openai_error.json()["error"]["type"] == "authentication_error"
        assert setting.seen == []


async def test_a_known_token_is_verified_once() -> None:
    async with stage() as setting, client(setting) as http:
        for _ in range(3):
            await http.get("/api/v1/chats")
        assert setting.authenticator is not None
        assert setting.authenticator.calls == 1


async def test_x_api_key_works_where_a_bearer_token_does() -> None:
    async with stage() as setting, httpx.AsyncClient(base_url=setting.url) as http:
        assert (await http.get("/v1/models", headers={"x-api-key": TOKEN})).status_code == 200


async def test_failed_credentials_are_limited_by_address_while_good_ones_pass() -> None:
    async with stage() as setting, client(setting) as http:
        assert (await http.get("/api/v1/chats")).status_code == 200
        statuses = [(await http.get("/api/v1/chats", headers={"authorization": f"Bearer guess{n}"})).status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await http.get("/api/v1/chats")).status_code == 200


async def test_a_good_credential_from_an_address_of_bad_ones_is_never_refused() -> None:
    async with stage() as setting, client(setting) as http:
        for number in range(6):
            await http.get("/api/v1/chats", headers={"authorization": f"Bearer guess{number}"})
        assert (await http.get("/api/v1/chats", headers={"authorization": "Bearer guess"})).status_code == 429
        assert (await http.get("/api/v1/chats")).status_code == 200


async def test_over_the_quota_is_429_with_the_time_to_wait() -> None:
    async with stage(per_minute=2) as setting, client(setting) as http:
        first = await http.get("/v1/models")
        assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("2", "1")
        await http.get("/v1/models")
        refused = await http.get("/v1/models")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "30"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert refused.json()["error"]["code"] == "rate_limited"
        assert len(setting.seen) == 2


@pytest.mark.parametrize("status", [402, 429])
async def test_a_refusal_for_lack_of_money_costs_no_quota_a_few_times_a_minute(status: int) -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, status)

    async with stage(upstream, per_minute=1) as setting, client(setting) as http:
        answers = [await http.get("/v1/models") for _ in range(14)]
        assert [each.status_code for each in answers] == [status] * 11 + [429] * 3
        assert len(setting.seen) == 11


async def test_asking_for_what_is_forbidden_costs_quota() -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, 403)

    async with stage(upstream, per_minute=2) as setting, client(setting) as http:
        assert [(await http.get("/v1/models")).status_code for _ in range(3)] == [403, 403, 429]


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
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
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
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(events_before):
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            await asyncio.sleep(0.01)
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ConnectionResetError

    async with stage(upstream) as setting:
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 2\r\n\r\n{}")
        await until(lambda: len(setting.seen) == 1)
        if events_before:
            await reader.read(10)
            await asyncio.sleep(0.05)
        writer.transport.abort()
        await until(lambda: setting.left == 1, seconds=1.0)
        assert setting.pool is not None
        await until(lambda: setting.pool is not None and setting.pool.connections == 0)


async def test_a_client_that_leaves_during_its_upload_cancels_the_service() -> None:
    async def upstream(_scope: Any, receive: Any, _send: Any) -> None:
        await read_body(receive)

    async with stage(upstream) as setting:
        _, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 100\r\n\r\npart")
        await until(lambda: len(setting.seen) == 1)
        writer.transport.abort()
        await until(lambda: setting.left == 1, seconds=1.0)


async def test_a_service_that_is_down_is_503_and_the_breaker_opens() -> None:
    config = ProxyConfig(breaker_failures_max=3, breaker_open_s=30)
    async with stage(origin="http://127.0.0.1:1", config=config, per_minute=5) as setting, client(setting) as http:
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
    async with raw_server(flaky) as service, stage(origin=service.origin, config=config) as setting, client(setting) as http:
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
    async with raw_server(broken) as service, stage(origin=service.origin, config=config) as setting, client(setting) as http:
        assert (await http.get("/v1/models")).status_code == 502
        late = await http.get("/api/v1/chats")
        assert late.status_code == 504
        assert late.json()["code"] == "upstream_timeout"
        assert late.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("path", "marker"), [("/v1/chat/completions", b'data: {"error":{'), ("/api/v1/chats/1/messages", b"event: error\ndata: {")]
)
async def test_a_stream_that_breaks_ends_in_an_error_event(path: str, marker: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n")
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
        assert (await http.options("/v1/models", headers={"origin": "https://evil.example", **preflight})).status_code == 403
        for path in ("/v1/models", "/own"):
            own = await http.get(path, headers={"origin": "https://app.example"})
            assert own.headers["access-control-allow-origin"] == "https://app.example"
            assert "access-control-allow-origin" not in (await http.get(path, headers={"origin": "https://evil.example"})).headers


async def test_an_upgrade_is_answered_501() -> None:
    async with stage() as setting:
        upgrade = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
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
        assert (await http.get("/api/v1/chats", headers={f"x-{number}": "1" for number in range(120)})).status_code == 431
        assert (await http.get("/api/v1/chats", headers={"x-large": "a" * 40_000})).status_code == 431
        assert setting.seen == []


async def test_an_upload_that_stalls_is_given_up() -> None:
    async def upstream(_scope: Any, receive: Any, _send: Any) -> None:
        await read_body(receive)

    async with stage(upstream, config=ProxyConfig(body_idle_s=0.2)) as setting:
        head = b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"Content-Length: 100\r\n\r\npart"
        assert (await raw(setting.port, head)).startswith(b"HTTP/1.1 408")
        await until(lambda: setting.left == 1)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await asyncio.wait_for(send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}), 10)) is None:
            if setting_done:
                raise ConnectionResetError

    setting_done: list[int] = []
    async with stage(upstream, config=ProxyConfig(connections=ConnectionLimits(write_s=0.3))) as setting:
        _, writer = await asyncio.open_connection("127.0.0.1", setting.port, limit=1024)
        writer.write(b"GET /api/v1/chats HTTP/1.1\r\nHost: x\r\n" + AUTH_LINE + b"\r\n")
        await until(lambda: len(setting.seen) == 1)
        await until(lambda: setting.pool is not None and setting.pool.connections == 1)
        await until(lambda: setting.pool is not None and setting.pool.connections == 0, seconds=6)
        setting_done.append(1)
        writer.close()
