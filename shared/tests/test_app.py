"""The shell of a service: errors, ids, limits, health and hot routes behave alike everywhere."""

import gzip
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, FastAPI
from identities import KeyRing, make_principal
from pydantic import BaseModel, SecretStr
from servers import serve
from shared.app.service import create_service_app
from shared.auth.guards import CurrentPrincipal
from shared.auth.permissions import Permission, Role
from shared.errors import Invalid, TooManyRequests, Unavailable
from shared.hotroutes import HotRequest, HotRoute
from shared.settings import ServiceSettings
from starlette.datastructures import State

KEYS = KeyRing()


class Echo(BaseModel):
    text: str


class EchoSettings(ServiceSettings):
    service = "inference-service"


async def hot_echo(request: HotRequest) -> None:
    body = await request.json_object(1000)
    if body.get("fail") == "limit":
        raise TooManyRequests("slow down", retry_after_s=3, extra={"scope": "key"})
    if body.get("fail") == "input":
        raise Invalid("text is missing", extra={"param": "text"})
    if body.get("fail") == "crash":
        raise RuntimeError("the secret is swordfish")
    if body.get("fail") == "outage":
        raise asyncpg.CannotConnectNowError("the database system is starting up")
    await request.send_json(200, {"text": body["text"], "user": str(request.principal.user_id)})


router = APIRouter()


@router.post("/api/v1/echo")
@router.post("/api/v1/echo/large")
async def echo(body: Echo, principal: CurrentPrincipal) -> Echo:
    if body.text == "crash":
        raise RuntimeError("the secret is swordfish")
    return body


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncGenerator[None]:
    yield


async def away(_: State) -> None:
    raise Unavailable("the engine does not answer")


HOT = (
    HotRoute(
        "POST",
        "/v1/echo",
        hot_echo,
        "Echo",
        permission=Permission.MODELS_USE,
        envelope="openai",
        request_model=Echo,
        response_model=Echo,
    ),
    HotRoute(
        "POST", "/internal/v1/echo/{name}", hot_echo, "Echo inside", services=frozenset({"chat-service"})
    ),
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings = EchoSettings(**KEYS.settings_fields("inference-service", database_url="postgresql://unused"))
    app = create_service_app(
        settings,
        title="t",
        lifespan=nothing,
        routers=[router],
        hot_routes=HOT,
        readiness={"engine": away},
        body_bytes_max=2000,
        body_bytes_max_below={"/api/v1/echo/large": 5000},
    )
    async with serve(app) as base_url, httpx.AsyncClient(timeout=60, base_url=base_url) as http:
        yield http


# Made when tests are collected, which may be long before they run.
USER = {"authorization": f"Bearer {KEYS.user_token(make_principal(), ttl_s=86_400)}"}


async def test_a_hot_route_authenticates_and_answers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/echo", json={"text": "hi"}, headers=USER)
    assert answer.json()["text"] == "hi"
    assert len(answer.headers["x-request-id"]) == 32


async def test_a_hot_route_refuses_strangers_and_the_unentitled_in_its_envelope(
    client: httpx.AsyncClient,
) -> None:
    missing = await client.post("/v1/echo", json={})
    assert (missing.status_code, missing.json()["error"]["type"]) == (401, "authentication_error")
    pending = await client.post("/v1/echo", json={}, headers=KEYS.user_headers(make_principal(Role.PENDING)))
    assert (pending.status_code, pending.json()["error"]["type"]) == (403, "permission_error")


async def test_a_bare_service_token_is_no_person(client: httpx.AsyncClient) -> None:
    headers = KEYS.service_headers("agent-service", target="inference-service")
    assert (await client.post("/v1/echo", json={"text": "hi"}, headers=headers)).status_code == 401


async def test_internal_routes_answer_named_services_only(client: httpx.AsyncClient) -> None:
    allowed = KEYS.service_headers("chat-service", target="inference-service")
    refused = KEYS.service_headers("agent-service", target="inference-service")
    assert (await client.post("/internal/v1/echo/x", json={"text": "hi"}, headers=allowed)).status_code == 200
    assert (await client.post("/internal/v1/echo/x", json={"text": "hi"}, headers=refused)).status_code == 403
    assert (await client.post("/internal/v1/echo/x", json={"text": "hi"}, headers=USER)).status_code == 403


async def test_bad_input_is_400_under_v1_and_422_elsewhere(client: httpx.AsyncClient) -> None:
    openai = await client.post("/v1/echo", json={"fail": "input"}, headers=USER)
    assert (openai.status_code, openai.json()["error"]["param"]) == (400, "text")
    rest = await client.post("/api/v1/echo", json={}, headers=USER)
    assert rest.status_code == 422
    assert rest.json()["errors"][0]["field"] == "body.text"


async def test_a_refusal_carries_its_extras_and_retry_after(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/echo", json={"fail": "limit"}, headers=USER)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]["scope"]) == (
        429,
        "3",
        "key",
    )


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/echo", {"fail": "crash"}), ("/api/v1/echo", {"text": "crash"})]
)
async def test_an_unexpected_error_tells_the_client_nothing(
    client: httpx.AsyncClient, path: str, body: dict[str, str]
) -> None:
    answer = await client.post(path, json=body, headers=USER)
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_a_hot_route_answers_503_while_the_database_is_away(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/echo", json={"fail": "outage"}, headers=USER)
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["retry-after"]) == (
        503,
        "database_down",
        "2",
    )


async def test_a_body_over_the_limit_is_413_declared_or_streamed(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/echo", json={"text": "x" * 3000}, headers=USER)).status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b" " * 1000

    assert (await client.post("/api/v1/echo", content=pieces(), headers=USER)).status_code == 413


async def test_below_a_path_with_a_limit_of_its_own_that_limit_counts(client: httpx.AsyncClient) -> None:
    assert (
        await client.post("/api/v1/echo/large", json={"text": "x" * 3000}, headers=USER)
    ).status_code == 200
    assert (
        await client.post("/api/v1/echo/large", json={"text": "x" * 6000}, headers=USER)
    ).status_code == 413


async def test_a_sane_request_id_is_kept_and_another_replaced(client: httpx.AsyncClient) -> None:
    kept = await client.get("/healthz", headers={"x-request-id": "abc-12345678"})
    assert kept.headers["x-request-id"] == "abc-12345678"
    replaced = await client.get("/healthz", headers={"x-request-id": "bad id {}"})
    assert replaced.headers["x-request-id"] != "bad id {}"


async def test_readiness_names_what_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"engine": "the engine does not answer"}


async def test_metrics_count_by_template_never_by_raw_path(client: httpx.AsyncClient) -> None:
    await client.get("/no/such/path/1234")
    text = (await client.get("/metrics")).text
    assert "1234" not in text
    assert 'route="(unmatched)"' in text


async def test_openapi_describes_hot_routes(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert "/v1/echo" in document["paths"]
    assert "Echo" in document["components"]["schemas"]


async def test_direct_calls_are_limited_per_caller_and_gateway_calls_are_not() -> None:
    settings = EchoSettings(
        **KEYS.settings_fields("inference-service", database_url="postgresql://unused"),
        direct_calls_per_minute=2,
    )
    app = create_service_app(settings, title="t", lifespan=nothing, routers=[router], hot_routes=HOT)
    direct = KEYS.user_headers(make_principal())
    limited_key = KEYS.user_headers(make_principal(rpm=1))
    hop = KEYS.user_headers(make_principal(via_gateway=True))
    async with serve(app) as base_url, httpx.AsyncClient(timeout=60, base_url=base_url) as http:

        async def statuses(headers: dict[str, str], path: str) -> list[int]:
            return [
                (await http.post(path, json={"text": "hi"}, headers=headers)).status_code for _ in range(3)
            ]

        assert await statuses(direct, "/v1/echo") == [200, 200, 429]
        assert await statuses(limited_key, "/api/v1/echo") == [200, 429, 429]
        assert await statuses(hop, "/v1/echo") == [200, 200, 200]


async def test_head_answers_as_get_without_a_body(client: httpx.AsyncClient) -> None:
    assert (await client.head("/healthz")).status_code == 200
    assert (await client.head("/v1/nothing", headers=USER)).status_code == 404


@pytest.mark.parametrize("path", ["/v1/echo", "/api/v1/echo"])
async def test_a_packed_body_is_refused_in_words(client: httpx.AsyncClient, path: str) -> None:
    headers = {**USER, "content-encoding": "gzip", "content-type": "application/json"}
    answer = await client.post(path, content=gzip.compress(b'{"text":"hi"}'), headers=headers)
    assert answer.status_code == 415
    body = answer.json()
    assert body.get("error", body)["code"] == "content_encoding"


@pytest.mark.parametrize("path", ["/v1/echo", "/api/v1/echo"])
async def test_an_api_key_at_a_service_is_told_where_to_swap_it(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"text": "hi"}, headers={"x-api-key": "atr-abc"})
    assert answer.status_code == 401
    assert "/api/v1/auth/token" in answer.text


async def test_no_address_redirects_to_the_service_itself(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/echo/", json={"text": "hi"}, headers=USER)).status_code == 404


async def test_an_error_of_the_framework_is_called_by_its_name(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/api/v1/echo", headers=USER)
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")


async def test_the_reference_page_needs_no_other_site(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "/api/v1/echo" in page.text
    assert "http" not in page.text.replace("http-equiv", "").split("<h2>")[0]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_metrics_ask_for_their_token_when_there_is_one() -> None:
    settings = EchoSettings(
        **KEYS.settings_fields("inference-service", database_url="postgresql://unused"),
        metrics_token=SecretStr("m" * 20),
    )
    app = create_service_app(settings, title="Echo", lifespan=nothing)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://service"
    ) as guarded:
        assert (await guarded.get("/metrics")).status_code == 401
        assert (await guarded.get("/metrics", headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (
            await guarded.get("/metrics", headers={"authorization": f"Bearer {'m' * 20}"})
        ).status_code == 200
