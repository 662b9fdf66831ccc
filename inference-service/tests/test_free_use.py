"""Free models are not unlimited for one person."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from fake_provider import FakeProvider
from identities import make_principal
from inference_service.metering import free_use
from inference_service.metering.free_use import FreeUse
from shared.errors import TooManyRequests
from shared.ids import uuid7
from suite.waiting import eventually

ADA, BOB = uuid7(), uuid7()


def ask(model: str = "fake-echo", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, **members}


def test_a_minute_holds_so_many_answers_for_each_person(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(free_use, "monotonic_s", lambda: now_s)
    use = FreeUse(parallel_max=9, per_minute_max=3)
    for _ in range(3):
        use.take(ADA, [])
    with pytest.raises(TooManyRequests) as refused:
        use.take(ADA, [])
    assert refused.value.headers["Retry-After"] == "61"
    use.take(BOB, [])
    now_s += 60.5
    use.take(ADA, [])


def test_so_many_run_at_once_for_each_person() -> None:
    use = FreeUse(parallel_max=2, per_minute_max=99)
    running: list[UUID | None] = [ADA, ADA, BOB]
    with pytest.raises(TooManyRequests):
        use.take(ADA, running)
    use.take(BOB, running)


async def test_more_is_429_with_a_time_and_costs_no_hold(
    start: Any, provider: FakeProvider, billing: Any
) -> None:
    billing.free = {"fake-echo"}
    async with start(openai_api_base_urls=provider.url, free_model_per_minute_max=3) as running:
        await running.models_found("fake-echo")
        answers = [await running.client.post("/v1/chat/completions", json=ask()) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert (answers[4].json()["error"]["code"], bool(answers[4].headers["retry-after"])) == (
            "free_model_limit",
            True,
        )
        assert len(billing.holds) == 3
        others = running.keys.user_headers(make_principal())
        assert (
            await running.client.post("/v1/chat/completions", json=ask(), headers=others)
        ).status_code == 200
        assert (await running.client.post("/v1/chat/completions", json=ask("fake-slow"))).status_code == 200
    assert not billing.open_holds


async def test_what_billing_did_not_take_is_no_answer(
    start: Any, provider: FakeProvider, billing: Any
) -> None:
    billing.free = {"fake-echo"}
    async with start(openai_api_base_urls=provider.url, free_model_per_minute_max=2) as running:
        await running.models_found("fake-echo")
        assert (await running.client.post("/v1/chat/completions", json=ask())).status_code == 200
        billing.failing = {"reservations"}
        for _ in range(3):
            assert (await running.client.post("/v1/chat/completions", json=ask())).json()["error"][
                "code"
            ] == "billing_unavailable"
        billing.failing = set()
        assert (await running.client.post("/v1/chat/completions", json=ask())).status_code == 200


def lasting() -> dict[str, Any]:
    body = ask("fake-slow", stream=True, max_tokens=500)
    return {**body, "messages": [{"role": "user", "content": "!tokens=500 !delay_ms=10"}]}


async def test_so_many_run_at_once_until_one_ends(start: Any, provider: FakeProvider, billing: Any) -> None:
    billing.free = {"fake-slow"}
    async with start(openai_api_base_urls=provider.url, free_model_parallel_max=2) as running:
        await running.models_found("fake-slow")
        async with AsyncExitStack() as streams:
            for _ in range(2):
                opened = running.client.stream("POST", "/v1/chat/completions", json=lasting())
                assert (await streams.enter_async_context(opened)).status_code == 200
            refused = await running.client.post("/v1/chat/completions", json=lasting())
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "free_model_limit")
            assert provider.dispatches == 2

        async def is_answered() -> bool:
            async with running.client.stream("POST", "/v1/chat/completions", json=lasting()) as again:
                return again.status_code == 200

        await eventually(is_answered)


@pytest.mark.parametrize("known", [False, True])
async def test_those_that_come_at_the_same_moment_are_bounded_too(
    start: Any, provider: FakeProvider, billing: Any, known: bool
) -> None:
    billing.free = {"fake-slow"}
    async with start(openai_api_base_urls=provider.url, free_model_parallel_max=2) as running:
        await running.models_found("fake-slow")
        if known:
            await running.client.post("/v1/chat/completions", json=ask("fake-slow"))
        posts = (
            running.client.post("/v1/chat/completions", json={**lasting(), "max_tokens": 100})
            for _ in range(6)
        )
        codes = sorted(answer.status_code for answer in await asyncio.gather(*posts))
    assert codes == [200, 200, 429, 429, 429, 429]
    assert not billing.open_holds
