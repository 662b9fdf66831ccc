"""Whom the gateway believes about where a request came from, and what a service's redirect and stream look
like outside.
"""

from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from gateway_service.proxy.config import ProxyConfig
from gateways.proxy_stage import TOKEN, answer, raw, stage

AUTH = {"authorization": f"Bearer {TOKEN}"}
FORGED = {"x-forwarded-for": "198.51.100.9", "x-forwarded-proto": "https"}


async def test_forwarding_headers_of_this_machine_are_not_believed() -> None:
    async with stage() as setting, httpx.AsyncClient(timeout=60, base_url=setting.url, headers=AUTH) as http:
        await http.get("/api/v1/chats", headers=FORGED)
        assert setting.headers()[b"x-forwarded-for"] == b"127.0.0.1"
        assert setting.headers()[b"x-forwarded-proto"] == b"http"


async def test_another_forwarded_address_gives_no_new_tries() -> None:
    async with stage() as setting, httpx.AsyncClient(timeout=60, base_url=setting.url) as http:
        statuses = [
            (
                await http.get(
                    "/v1/models",
                    headers={"authorization": f"Bearer bad{n}", "x-forwarded-for": f"203.0.113.{n}"},
                )
            ).status_code
            for n in range(5)
        ]
        assert statuses[-1] == 429


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.9", b"198.51.100.9"),
        ("6.6.6.6, 198.51.100.9, 192.0.2.1", b"198.51.100.9"),
        ("6.6.6.6, nonsense, 192.0.2.1", b"192.0.2.1"),
        ("2001:db8::9", b"2001:db8::9"),
        ("", b"127.0.0.1"),
    ],
)
async def test_a_trusted_proxy_is_believed_up_to_the_first_stranger(forwarded: str, client: bytes) -> None:
    config = ProxyConfig(trusted_proxies=(ip_network("127.0.0.1"), ip_network("192.0.2.0/24")))
    async with (
        stage(config=config) as setting,
        httpx.AsyncClient(timeout=60, base_url=setting.url, headers=AUTH) as http,
    ):
        await http.get("/api/v1/chats", headers={"x-forwarded-for": forwarded, "x-forwarded-proto": "https"})
        assert setting.headers()[b"x-forwarded-for"] == client
        assert setting.headers()[b"x-forwarded-proto"] == b"https"


async def test_two_hosts_are_refused() -> None:
    async with stage() as setting:
        received = await raw(setting.port, b"GET /own HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 400")
        assert b"ambiguous_host" in received


async def test_a_redirect_of_a_service_does_not_name_its_inner_address() -> None:
    async def upstream(scope: Any, _receive: Any, send: Any) -> None:
        host = dict(scope["headers"])[b"host"]
        await answer(send, 307, headers=((b"location", b"http://" + host + b"/api/v1/chats?x=1"),))

    async with (
        stage(upstream) as setting,
        httpx.AsyncClient(timeout=60, base_url=setting.url, headers=AUTH) as http,
    ):
        assert (await http.get("/api/v1/chats/")).headers["location"] == "/api/v1/chats?x=1"


async def test_no_proxy_on_the_way_may_transform_events() -> None:
    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        headers = (
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        )
        await answer(send, headers=headers, body=b"data: x\n\n")

    async with (
        stage(upstream) as setting,
        httpx.AsyncClient(timeout=60, base_url=setting.url, headers=AUTH) as http,
    ):
        answered = await http.get("/v1/models")
        assert answered.headers.get_list("cache-control") == ["no-cache, no-transform"]
        assert answered.headers.get_list("x-accel-buffering") == ["no"]


async def test_each_proxied_request_leaves_one_line(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with stage() as setting, httpx.AsyncClient(timeout=60, base_url=setting.url, headers=AUTH) as http:
        await http.get("/v1/models", headers={"x-request-id": "line-0001"})
        assert setting.app is not None
        setting.app._access_log.flush()
    line = next(line for line in capsys.readouterr().err.splitlines() if "line-0001" in line)
    assert '"route":"/v1"' in line
    assert '"status":200' in line
