"""What crosses the gateway's proxy and what does not."""

from typing import Any

import httpx
import pytest
from gateways.proxy_stage import HOP, TOKEN, Stage, answer, raw, stage

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


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/chatsy", "/api/v1/auth/signin", "/v10", "/v1x", "/api/v1/%63hats"]
)
async def test_what_no_service_owns_goes_to_the_gateways_own_application(path: str) -> None:
    async with stage() as setting, client(setting) as http:
        assert (await http.get(path)).text.startswith("own /")
        assert setting.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/chats/a%2fb", "/api/v1/chats/a%2Fb", "/api/v1/chats/a%5cb", "/api/v1/chats/a\\b",
        "/api/v1/chats/..",
        "/api/v1/chats/../billing", "/api/v1/chats/./x", "/api/v1/chats/%2e%2e/x", "/api/v1/chats/.%2E",
        "/api/v1/chats/..;/x",
        "/api/v1/chats/a%00", "/api/v1/chats/a%zz",
    ],
)  # fmt: skip
async def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    async with stage() as setting:
        received = await raw(
            setting.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode() + AUTH_LINE + b"\r\n"
        )
        assert received.startswith(b"HTTP/1.1 400")
        assert setting.seen == []


@pytest.mark.parametrize(
    "path",
    ["/internal/v1/reservations", "/metrics", "/internal", "/%69nternal/x", "/internal//x", "/metrics/"],
)
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
    async with stage() as setting, httpx.AsyncClient(timeout=60, base_url=setting.url) as http:
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
    async with stage() as setting, httpx.AsyncClient(timeout=60, base_url=setting.url) as http:
        assert (await http.get("/v1/models", headers={"x-api-key": TOKEN})).status_code == 200


async def test_failed_credentials_are_limited_by_address_while_good_ones_pass() -> None:
    async with stage() as setting, client(setting) as http:
        assert (await http.get("/api/v1/chats")).status_code == 200
        statuses = [
            (await http.get("/api/v1/chats", headers={"authorization": f"Bearer guess{n}"})).status_code
            for n in range(5)
        ]
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
