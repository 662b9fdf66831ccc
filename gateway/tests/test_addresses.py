"""What programs are told at addresses that are not there."""

from pathlib import Path

import pytest
from gateways.running import Gateway, StartGateway

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Atrium</title>")
    return folder


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/openai/v1/models", "/v1"),
        ("POST", "/openai/deployments/gpt/chat/completions", "/v1"),
        ("GET", "/models", "/v1"),
        ("POST", "/chat/completions", "/v1"),
        ("POST", "/embeddings", "/v1"),
        ("POST", "/api/chat/completions", "/v1"),
        ("GET", "/api/models", "/v1"),
        ("POST", "/messages", "/v1/chat/completions"),
        ("POST", "/anthropic/v1/messages", "/v1/chat/completions"),
        ("POST", "/v1beta/models/gemini:generateContent", "/v1"),
        ("GET", "/api/tags", "/v1"),
        ("POST", "/api/chat", "/v1"),
        ("GET", "/key/info", "/api/v1/auth/api-keys"),
        ("POST", "/key/generate", "/api/v1/auth/api-keys"),
        ("GET", "/model/info", "/v1/models"),
        ("GET", "/spend/logs", "/api/v1/billing/usage"),
    ],
)
async def test_known_addresses_of_others_are_told_what_serves_them_here(
    start_gateway: StartGateway, build: Path, method: str, path: str, named: str
) -> None:
    async with (
        start_gateway(web_build_dir=build, public_url="http://127.0.0.1:8000") as gateway,
        gateway.client() as http,
    ):
        answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_offered")
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"http://127.0.0.1:8000{named}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing"),
        ("POST", "/nothing"),
        ("DELETE", "/c/1"),
        ("GET", "/api"),
        ("POST", "/api/v1/auth/nothing"),
    ],
)
async def test_a_wrong_address_is_not_found(gateway: Gateway, method: str, path: str) -> None:
    async with gateway.client() as http:
        answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/v1/auth/signin", "POST"), ("PUT", "/api/v1/auth/me", "GET"), ("POST", "/health", "GET")],
)
async def test_a_wrong_method_says_which_is_right(
    gateway: Gateway, method: str, path: str, allowed: str
) -> None:
    async with gateway.client() as http:
        answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"], answer.json()["title"]) == (
        405,
        "method_not_allowed",
        "Method not allowed",
    )
    assert answer.headers["allow"] == allowed


async def test_people_get_the_page_and_programs_get_json(start_gateway: StartGateway, build: Path) -> None:
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        for path in ("/", "/c/1", "/models", "/admin/users"):
            page = await http.get(path, headers=PAGE)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert (await http.get("/c/1", headers={"accept": "application/json"})).json()["code"] == "not_found"
        assert (await http.get("/c/1", headers={"authorization": "Bearer atr-x"})).json()[
            "code"
        ] == "not_found"
        assert (await http.get("/")).status_code == 200
        assert (await http.get("/settings")).status_code == 200
