"""What reaches the gateway's own routes: hosts, sizes, closed paths, origins."""

import asyncio
import socket
from contextlib import AsyncExitStack

import httpx
import pytest
from gateway_service.proxy.client import check_host
from gateway_service.settings import GatewaySettings
from gateways.running import KEYS, Gateway, Person, StartGateway
from pydantic import ValidationError
from shared.errors import BadRequest


def settings(**fields: object) -> GatewaySettings:
    return GatewaySettings(
        **KEYS.settings_fields("gateway", database_url="postgresql://x:y@127.0.0.1:1/x"), **fields
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", ["evil.example", "x/#@127.0.0.1", "127.0.0.1?", "", "127.0.0.1@evil.example"]
)
async def test_another_or_malformed_host_is_refused(gateway: Gateway, host: str) -> None:
    async with gateway.client() as http:
        for path in ("/api/v1/auth/config", "/api/v1/auth/me", "/api/v1/chats"):
            assert (await http.get(path, headers={"host": host})).status_code == 400


async def test_a_malformed_host_opens_nothing_even_when_any_host_is_answered(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(trusted_hosts=("*",)) as gateway, gateway.client() as http:
        for host in ("x/#@y", "x/api/v1/auth/config?", "y/health#"):
            answer = await http.get("/api/v1/admin/users", headers={"host": host})
            assert answer.status_code in {400, 401}


async def test_closed_paths_are_not_there(gateway: Gateway, admin: Person) -> None:
    for path in ("/metrics", "/internal/v1/reservations", "/internal"):
        assert (await admin.get(path)).status_code == 404


async def test_a_body_too_large_is_413_declared_or_not(start_gateway: StartGateway) -> None:
    async with start_gateway(own_body_max_bytes=2048) as gateway, gateway.client() as http:
        declared = await http.post(
            "/api/v1/auth/signin", content=b"x" * 4096, headers={"content-type": "application/json"}
        )

        async def chunks():
            for _ in range(4):
                yield b"x" * 1024
                await asyncio.sleep(0)

        chunked = await http.post(
            "/api/v1/auth/signin", content=chunks(), headers={"content-type": "application/json"}
        )
    assert declared.status_code == 413
    assert chunked.status_code == 413
    assert chunked.json()["code"] == "payload_too_large"


async def test_credentials_in_another_content_type_are_refused(gateway: Gateway, admin: Person) -> None:
    body = b'{"email":"ada@example.com","password":"correct horse battery"}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await admin.http.post(
            "/api/v1/auth/signin", content=body, headers={"content-type": content_type}
        )
        assert answer.status_code == 422


async def test_only_listed_origins_may_read_answers(start_gateway: StartGateway) -> None:
    async with (
        start_gateway(cors_allow_origins=("https://app.example",)) as gateway,
        gateway.client() as http,
    ):
        listed = await http.get("/api/v1/status", headers={"origin": "https://app.example"})
        other = await http.get("/api/v1/status", headers={"origin": "https://evil.example"})
    assert listed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in listed.headers
    assert "access-control-allow-origin" not in other.headers


async def test_own_answers_carry_security_headers(gateway: Gateway) -> None:
    async with gateway.client() as http:
        answer = await http.get("/api/v1/auth/config")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize("variable", ["GATEWAY_PROCESSES", "WEB_CONCURRENCY"])
def test_several_processes_are_refused_without_redis_because_limits_would_not_hold(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "2")
    with pytest.raises(ValidationError, match=r"limits would not hold; set it to 1, or set REDIS_URL"):
        settings()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    assert settings().gateway_processes == 2
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv(variable, "1")
    assert settings().gateway_processes == 1


def test_lists_are_separated_by_semicolons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ALLOW_ORIGINS", "https://a.example; http://localhost:5173;")
    monkeypatch.setenv("TRUSTED_HOSTS", "atrium.example")
    assert settings().cors_allow_origins == ("https://a.example", "http://localhost:5173")
    assert settings().hosts == frozenset({"atrium.example"})


@pytest.mark.parametrize("origin", ["*", "https://a.example/", "a.example", "https://a.example/path"])
def test_what_is_not_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        settings(cors_allow_origins=(origin,))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_only_our_own_names_are_answered_on_every_address(host: str) -> None:
    hosts = settings(host=host, public_url="https://atrium.example").hosts
    for name in (
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "192.0.2.7",
        "[::1]:8000",
        "[2001:db8::1]",
        "atrium.example:443",
    ):
        check_host(name.encode(), hosts)
    for name in (
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "[::1].evil.example",
        "atrium.example.evil.example",
    ):
        with pytest.raises(BadRequest):
            check_host(name.encode(), hosts)


def test_bound_beyond_this_machine_the_first_sign_up_needs_the_token() -> None:
    assert settings(host="0.0.0.0").asks_for_setup_token
    assert not settings(host="::1").asks_for_setup_token


def test_proxies_are_named_by_address_or_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().trusted_proxies == ()
    monkeypatch.setenv("TRUSTED_PROXIES", "192.0.2.1; 10.0.0.0/8;")
    assert [str(each) for each in settings().trusted_proxies] == ["192.0.2.1/32", "10.0.0.0/8"]


async def test_metrics_have_a_port_of_their_own(start_gateway: StartGateway) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    async with start_gateway(metrics_port=port) as gateway, gateway.client() as http:
        await http.get("/api/v1/auth/config")
        metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert 'route="/api/v1/auth/config"' in metrics.text


async def test_the_metrics_port_passes_from_one_process_to_its_successor(start_gateway: StartGateway) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http, AsyncExitStack() as stack:
        async with start_gateway(metrics_port=port):
            await stack.enter_async_context(
                start_gateway(metrics_port=port)
            )  # starts although the port is taken
        async with asyncio.timeout(20):
            while not await answers(http, f"http://127.0.0.1:{port}/metrics"):  # noqa: ASYNC110 - the port is the operating system's
                await asyncio.sleep(0.05)


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.TransportError:
        return False
