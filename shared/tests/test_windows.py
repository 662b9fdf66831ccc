"""What a model can read, as the inference-service says it, and what counts when it does not."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from shared.auth import ServiceTokens
from shared.clients import windows
from shared.clients.windows import CONTEXT_TOKENS_UNKNOWN, ModelWindows
from shared.http import UpstreamPool
from shared.testing.identity import KeyRing, make_principal
from shared.testing.server import serve


class FakeInference:
    """Answers with `body`."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.body = body
        self.status = status
        self.asked: list[str] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


def models(**contexts: int | None) -> bytes:
    return orjson.dumps({"data": [{"id": model, "context_length": length} for model, length in contexts.items()]})


@pytest.fixture(scope="module")
def tokens() -> ServiceTokens:
    return ServiceTokens(signing_key_pem=KeyRing().pem("chat-service"), service="chat-service")


@asynccontextmanager
async def asking(inference: FakeInference, tokens: ServiceTokens, tokens_max: int = 32_000) -> AsyncGenerator[ModelWindows]:
    pool = UpstreamPool()
    async with serve(inference, lifespan="off") as base_url:
        yield ModelWindows(pool, tokens, base_url=base_url, connect_timeout_s=2, tokens_max=tokens_max)
        await pool.aclose()


async def test_a_quarter_of_the_window_is_left_for_the_answer(tokens: ServiceTokens) -> None:
    async with asking(FakeInference(models(small=2048, large=128_000)), tokens) as asked:
        assert await asked.prompt_tokens(make_principal(), "small") == 1536
        assert await asked.prompt_tokens(make_principal(), "large") == 32_000


async def test_an_answer_of_known_length_gets_that_but_half_at_most(tokens: ServiceTokens) -> None:
    async with asking(FakeInference(models(small=2048)), tokens) as asked:
        assert await asked.prompt_tokens(make_principal(), "small", answer_tokens_max=100) == 1948
        assert await asked.prompt_tokens(make_principal(), "small", answer_tokens_max=5000) == 1024


@pytest.mark.parametrize(
    ("body", "status"),
    [(models(other=9000, unknown=None), 200), (b"not JSON", 200), (b"[]", 200), (b'{"detail": "no"}', 403), (models(unknown=9000), 503)],
)
async def test_a_model_of_which_nothing_is_known_counts_as_a_small_one(tokens: ServiceTokens, body: bytes, status: int) -> None:
    async with asking(FakeInference(body, status), tokens) as asked:
        assert await asked.prompt_tokens(make_principal(), "unknown") == CONTEXT_TOKENS_UNKNOWN * 3 // 4


async def test_it_is_asked_once_a_minute_and_what_is_known_stays(tokens: ServiceTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(windows, "monotonic_s", lambda: now_s)
    inference = FakeInference(models(small=2048))
    async with asking(inference, tokens) as asked:
        for _ in range(3):
            await asked.prompt_tokens(make_principal(), "small")
        assert inference.asked == ["GET /api/v1/inference/models"]
        now_s += 61
        inference.status = 503
        assert await asked.prompt_tokens(make_principal(), "small") == 1536
        assert len(inference.asked) == 2
