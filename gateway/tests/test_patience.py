"""How long anybody waits for a service that is down, frozen or back."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.routes import ANSWER_S, COMPLETION_S, OUTSIDE_S, UPLOAD_S, service_routes
from gateways.proxy_stage import TOKEN, Stage, answer, stage
from raw_server import serve as raw_server
from shared.http import Timeouts
from suite.waiting import is_within

AUTH = {"authorization": f"Bearer {TOKEN}"}


def client(setting: Stage, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=setting.url, headers=AUTH, timeout=5, **options)


def patience(method: str, path: str, *, wants_events: bool = False) -> float:
    routes = service_routes(
        **dict.fromkeys(
            ("chat_url", "inference_url", "agent_url", "retrieval_url", "billing_url"), "http://x:1"
        )
    )
    raw_path = path.encode()
    route = max(
        (each for each in routes if raw_path.startswith(each.prefix)), key=lambda each: len(each.prefix)
    )
    return route.first_byte_s(method, raw_path, wants_events=wants_events)


@pytest.mark.parametrize(
    ("method", "path", "seconds"),
    [
        ("GET", "/api/v1/chats", ANSWER_S),
        ("GET", "/v1/models", ANSWER_S),
        ("POST", "/api/v1/chats", ANSWER_S),
        ("POST", "/api/v1/chats/1/messages/2/stop", ANSWER_S),
        ("POST", "/api/v1/chats/1/messages", COMPLETION_S),
        ("POST", "/api/v1/chats/1/messages/2/continue", COMPLETION_S),
        ("POST", "/api/v1/chats/1/messages/2/regenerate", COMPLETION_S),
        ("POST", "/v1/chat/completions", COMPLETION_S),
        ("POST", "/v1/embeddings", COMPLETION_S),
        ("POST", "/api/v1/agents/code/execute", COMPLETION_S),
        ("POST", "/api/v1/agents/1/runs", COMPLETION_S),
        ("POST", "/api/v1/agents/runs/1/cancel", ANSWER_S),
        ("POST", "/api/v1/agents/mcp-servers/1/check", OUTSIDE_S),
        ("GET", "/api/v1/agents/mcp-servers", ANSWER_S),
        ("POST", "/api/v1/retrieval/files", UPLOAD_S),
        ("PATCH", "/api/v1/retrieval/uploads/1", UPLOAD_S),
        ("POST", "/api/v1/retrieval/search", ANSWER_S),
        ("GET", "/api/v1/billing/wallets", ANSWER_S),
    ],
)
def test_what_is_no_completion_and_no_upload_is_answered_within_ten_seconds(
    method: str, path: str, seconds: float
) -> None:
    assert ANSWER_S + ProxyConfig().timeouts.connect_s <= 10
    assert patience(method, path) == seconds


def test_a_stream_may_wait_for_its_first_word() -> None:
    assert patience("GET", "/api/v1/agents/runs/1/events", wants_events=True) == COMPLETION_S


async def test_the_breaker_closes_as_soon_as_the_service_is_ready() -> None:
    down = True
    asked: list[bytes] = []

    async def service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.partition(b"\r\n")[0])
        if not down:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()

    config = ProxyConfig(breaker_failures_max=2, breaker_open_s=60)
    async with (
        raw_server(service) as upstream,
        stage(origin=upstream.origin, config=config) as setting,
        client(setting) as http,
    ):
        assert [(await http.get("/v1/models")).status_code for _ in range(3)] == [502, 502, 503]
        down = False
        begun = time.monotonic()
        for _ in range(40):
            if (await http.get("/v1/models")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("still closed off")
        assert is_within(time.monotonic() - begun, 3.5)
        assert b"GET /readyz HTTP/1.1" in asked


async def test_a_service_that_is_up_and_not_ready_stays_closed_off() -> None:
    async def service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/readyz" in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

    config = ProxyConfig(breaker_failures_max=2, breaker_open_s=60)
    async with (
        raw_server(service) as upstream,
        stage(origin=upstream.origin, config=config) as setting,
        client(setting) as http,
    ):
        for _ in range(2):
            await http.get("/v1/models")
        await asyncio.sleep(0.8)
        assert (await http.get("/v1/models")).status_code == 503


async def test_a_frozen_service_is_closed_off_after_a_few_have_waited() -> None:
    asked: list[bytes] = []

    async def frozen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        await reader.read()

    config = ProxyConfig(breaker_failures_max=2, timeouts=Timeouts(connect_s=1, first_byte_s=0.3))
    async with (
        raw_server(frozen) as upstream,
        stage(origin=upstream.origin, config=config) as setting,
        client(setting) as http,
    ):
        assert [(await http.get("/api/v1/chats")).status_code for _ in range(2)] == [504, 504]
        refused = await http.get("/api/v1/chats")
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
            503,
            "upstream_down",
            "2",
        )
        assert asked.count(b"/api/v1/chats") == 2  # it has not been waited for


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_every_outage_of_a_service_says_when_to_try_again(status: int) -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, status)

    async with stage(upstream) as setting, client(setting) as http:
        assert (await http.get("/api/v1/chats")).headers["retry-after"] == "2"


async def test_an_answer_of_the_gateway_itself_comes_in_time_or_not_at_all() -> None:
    async def frozen(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.sleep(60)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.6)
        await send({"type": "http.response.body", "body": b"late but begun"})

    async with stage(own=frozen, config=ProxyConfig(own_answer_s=0.3)) as setting, client(setting) as http:
        late = await http.get("/slow")
        assert (late.status_code, late.json()["code"], late.headers["retry-after"]) == (503, "too_slow", "2")
        assert (await http.get("/begun")).text == "late but begun"
