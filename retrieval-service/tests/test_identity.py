"""The room answers to verified callers only."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from identities import KeyRing, make_principal
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from servers import serve
from shared.auth.permissions import Role

KEYS = KeyRing()


@pytest.fixture
async def client(service_database: Callable[[str], Any], tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    database = service_database("retrieval-service")
    settings = RetrievalSettings(
        **KEYS.settings_fields("retrieval-service", database_url=database.app_url), atrium_home=tmp_path
    )
    async with (
        serve(create_app(settings)) as base_url,
        httpx.AsyncClient(timeout=60, base_url=base_url) as http,
    ):
        yield http


async def test_a_token_is_verified_by_the_service_itself(client: httpx.AsyncClient) -> None:
    principal = make_principal(Role.USER)
    answer = await client.get("/api/v1/retrieval/me", headers=KEYS.user_headers(principal))
    assert answer.status_code == 200
    assert answer.json()["user_id"] == str(principal.user_id)


async def test_without_a_token_the_answer_is_401_as_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/retrieval/me")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


async def test_a_token_signed_by_a_stranger_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/retrieval/me", headers=KeyRing().user_headers(make_principal()))
    assert answer.status_code == 401


async def test_an_api_key_is_sent_to_the_route_that_swaps_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/retrieval/me", headers={"authorization": "Bearer atr-abcdefghijkl"})
    assert answer.status_code == 401
    assert "/api/v1/auth/token" in answer.json()["detail"]


async def test_a_service_token_for_another_audience_is_refused(client: httpx.AsyncClient) -> None:
    headers = KEYS.service_headers("chat-service", target="billing-service", principal=make_principal())
    assert (await client.get("/api/v1/retrieval/me", headers=headers)).status_code == 401


async def test_health_and_readiness_need_no_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["status"] == "ok"
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"database": "ok", "objects": "ok", "vectors": "ok", "reader": "ok"}
