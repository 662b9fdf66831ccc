"""Ollama through its official client, against a server of the documented shape."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from shared.auth import Role
from shared.testing.identity import make_principal
from shared.testing.server import read_body, serve

TAGS = {
    "models": [
        {"name": "llama3.2:1b", "model": "llama3.2:1b", "digest": "d1", "size": 1, "modified_at": "2026-01-01T00:00:00Z", "details": {}},
        {"name": "nomic-embed-text", "model": "nomic-embed-text", "digest": "d2", "size": 1, "details": {}},
    ]
}
SHOWN = {
    "llama3.2:1b": {"capabilities": ["completion", "tools"], "model_info": {"general.architecture": "llama", "llama.context_length": 8192}},
    "nomic-embed-text": {"capabilities": ["embedding"], "model_info": {"nomic-bert.context_length": 2048}},
}


class FakeOllama:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        fields = orjson.loads(body) if body else {}
        self.asked.append((scope["path"], fields))
        answer = self.answer(scope["path"], fields)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    def answer(self, path: str, fields: dict[str, Any]) -> Any:
        if path == "/api/tags":
            return TAGS
        if path == "/api/show":
            return SHOWN[fields["model"]]
        usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
        if path == "/v1/embeddings":
            return {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": usage}
        message = {"role": "assistant", "content": "hello you"}
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message}],
            "usage": usage,
        }


@pytest.fixture
async def ollama() -> AsyncIterator[tuple[FakeOllama, str]]:
    fake = FakeOllama()
    async with serve(fake, lifespan="off") as url:
        yield fake, url


async def test_models_are_listed_with_what_they_can_do(start: Any, ollama: Any) -> None:
    _, url = ollama
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        chat, embedding = (await running.client.get("/api/v1/inference/models")).json()["data"]
    assert (chat["kind"], chat["context_length"], chat["capabilities"]) == ("chat", 8192, ["completion", "tools"])
    assert (embedding["kind"], embedding["context_length"]) == ("embedding", 2048)


async def test_it_answers_and_is_metered_through_its_openai_side(start: Any, ollama: Any, billing: Any) -> None:
    fake, url = ollama
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {"model": "llama3.2:1b", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 9}
        assert (await running.client.post("/v1/chat/completions", json=body)).status_code == 200
        path, sent = fake.asked[-1]
        assert (path, sent["max_tokens"]) == ("/v1/chat/completions", 9)
        assert "max_completion_tokens" not in sent
        vector = await running.client.post("/v1/embeddings", json={"model": "nomic-embed-text", "input": "hi"})
        assert vector.json()["data"][0]["embedding"] == [0.5]
    assert len(billing.settled) == 2
    assert {hold["provider"] for hold in billing.holds.values()} == {"ollama-1"}


async def test_a_model_is_described_once_until_it_changes(start: Any, ollama: Any) -> None:
    fake, url = ollama
    async with start(ollama_base_urls=url, discovery_interval_s=0.1) as running:
        await running.models_found("llama3.2:1b")
        await running.app.state.discovery.refresh()
        shows = [path for path, _ in fake.asked if path == "/api/show"]
    assert len(shows) == 2


async def test_an_ollama_that_is_down_says_what_to_do(start: Any, eventually: Any) -> None:
    async with start(ollama_base_urls="http://127.0.0.1:9") as running:

        async def down() -> bool:
            headers = running.keys.user_headers(make_principal(Role.ADMIN))
            (view,) = (await running.client.get("/api/v1/inference/providers", headers=headers)).json()["data"]
            return view["status"] == "down" and "OLLAMA_BASE_URLS" in view["operator_detail"]

        await eventually(down)
