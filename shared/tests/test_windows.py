"""What a model can read, as the inference-service says it, and what counts when it does not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import orjson
import pytest
from identities import KeyRing, make_principal
from servers import serve
from shared.auth.tokens import ServiceTokens
from shared.clients import windows
from shared.clients.windows import CONTEXT_TOKENS_UNKNOWN, ModelWindows
from shared.http import UpstreamPool


class FakeInference:
    """Answers with `body`; `old`: without the internal route. Remembers who asked, as far as the token says a
    person.
    """

    def __init__(self, body: bytes, status: int = 200, *, old: bool = False) -> None:
        self.body = body
        self.status = status
        self.old = old
        self.asked: list[str] = []
        self.people: list[bool] = []
        self.reached = asyncio.Event()
        self.going_on = asyncio.Event()
        self.going_on.set()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        token = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        self.people.append("act" in jwt.decode(token, options={"verify_signature": False}))
        self.reached.set()
        await self.going_on.wait()
        status = 404 if self.old and scope["path"].startswith("/internal/") else self.status
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


def models(**contexts: int | None) -> bytes:
    return orjson.dumps(
        {"data": [{"id": model, "context_length": length} for model, length in contexts.items()]}
    )


@pytest.fixture(scope="module")
def tokens() -> ServiceTokens:
    return ServiceTokens(signing_key_pem=KeyRing().pem("chat-service"), service="chat-service")


@asynccontextmanager
async def asking(
    inference: FakeInference, tokens: ServiceTokens, tokens_max: int = 32_000
) -> AsyncGenerator[ModelWindows]:
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
    [
        (models(other=9000, unknown=None), 200),
        (b"not JSON", 200),
        (b"[]", 200),
        (b'{"detail": "no"}', 403),
        (models(unknown=9000), 503),
    ],
)
async def test_a_model_of_which_nothing_is_known_counts_as_a_large_one(
    tokens: ServiceTokens, body: bytes, status: int
) -> None:
    async with asking(FakeInference(body, status), tokens, tokens_max=1_000_000) as asked:
        window = await asked.window(make_principal(), "unknown")
    assert (window.prompt_tokens, window.known) == (CONTEXT_TOKENS_UNKNOWN * 3 // 4, False)


async def test_it_is_asked_once_a_minute_and_what_is_known_stays(
    tokens: ServiceTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(windows, "monotonic_s", lambda: now_s)
    inference = FakeInference(models(small=2048))
    async with asking(inference, tokens) as asked:
        for _ in range(3):
            await asked.prompt_tokens(make_principal(), "small")
        assert inference.asked == ["GET /internal/v1/models"]
        now_s += 61
        inference.status = 503
        assert await asked.prompt_tokens(make_principal(), "small") == 1536
        assert len(inference.asked) == 2


async def test_the_service_asks_and_not_the_person(tokens: ServiceTokens) -> None:
    inference = FakeInference(models(small=2048))
    async with asking(inference, tokens) as asked:
        await asked.window(make_principal(models=("other",)), "small")
    assert inference.people == [False]


async def test_a_first_use_by_many_is_one_look_and_nobody_gets_less(tokens: ServiceTokens) -> None:
    inference = FakeInference(models(small=2048))
    inference.going_on.clear()
    async with asking(inference, tokens) as asked:
        calls = asyncio.gather(*(asked.prompt_tokens(make_principal(), "small") for _ in range(20)))
        await asyncio.wait_for(inference.reached.wait(), 20)
        inference.going_on.set()
        assert await calls == [1536] * 20
    assert len(inference.asked) == 1


async def test_a_failed_look_is_soon_tried_again(
    tokens: ServiceTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(windows, "monotonic_s", lambda: now_s)
    inference = FakeInference(models(small=2048), 503)
    async with asking(inference, tokens) as asked:
        assert not (await asked.window(make_principal(), "small")).known
        inference.status = 200
        now_s += 3
        assert (await asked.window(make_principal(), "small")).context_tokens == 2048


async def test_an_inference_service_of_the_last_version_is_asked_as_before(tokens: ServiceTokens) -> None:
    inference = FakeInference(models(small=2048), old=True)
    async with asking(inference, tokens) as asked:
        assert (await asked.window(make_principal(), "small")).context_tokens == 2048
    assert inference.asked == ["GET /internal/v1/models", "GET /api/v1/inference/models"]


async def test_an_assumed_length_is_no_knowledge(tokens: ServiceTokens) -> None:
    body = orjson.dumps({"data": [{"id": "m", "context_length": 9000, "context_source": "default"}]})
    async with asking(FakeInference(body), tokens) as asked:
        window = await asked.window(make_principal(), "m")
    assert (window.context_tokens, window.known) == (9000, False)
