"""The scripted provider behaves as its model names say; the official client is the judge."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import fake_replies
import httpx
import openai
import orjson
import pytest
from fake_provider import FakeProvider, running_provider
from shared.http import make_client

KEY = "sk-test-only"


@pytest.fixture
async def provider() -> AsyncGenerator[FakeProvider]:
    async with running_provider(api_key=KEY) as provider:
        yield provider


@pytest.fixture
async def client(provider: FakeProvider) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=provider.url, api_key=KEY, max_retries=0, timeout=5) as client:
        yield client


async def streamed(
    client: openai.AsyncOpenAI, model: str, text: str = "one two three", **options: Any
) -> tuple[str, Any]:
    words, usage = "", None
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        stream=True,
        stream_options={"include_usage": True},
        **options,
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        if chunk.choices:
            words += chunk.choices[0].delta.content or ""
    return words, usage


async def test_echo_counts_words_as_tokens(client: openai.AsyncOpenAI, provider: FakeProvider) -> None:
    answer = await client.chat.completions.create(
        model="fake-echo", messages=[{"role": "user", "content": "one two three"}]
    )
    assert answer.choices[0].message.content == "one two three"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)
    words, usage = await streamed(client, "fake-echo", max_tokens=2)
    assert words == "one two"
    assert usage is not None and usage.completion_tokens == 2
    assert provider.counts()["by_model"] == {"fake-echo": 2}


async def test_slow_gives_as_many_tokens_as_asked(client: openai.AsyncOpenAI) -> None:
    words, usage = await streamed(client, "fake-slow", "go !delay_ms=1", max_tokens=30)
    assert len(words.split()) == 30
    assert usage is not None and usage.completion_tokens == 30


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("fake-429", openai.RateLimitError),
        ("fake-500", openai.InternalServerError),
        ("fake-401", openai.AuthenticationError),
    ],
)
async def test_scripted_failures(client: openai.AsyncOpenAI, model: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await streamed(client, model)


async def test_a_directive_wins_over_the_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        await streamed(client, "fake-echo", "please !500")


async def test_over_claims_more_than_it_sent_and_no_usage_claims_nothing(client: openai.AsyncOpenAI) -> None:
    _, usage = await streamed(client, "fake-over")
    assert usage is not None and usage.completion_tokens == 1003
    assert await streamed(client, "fake-no-usage") == ("one two three", None)


async def test_abort_cuts_the_stream(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(
        (openai.APIError, httpx.TransportError)
    ):  # which one depends on the phase the client was in
        await streamed(client, "fake-abort", "a b c d e f g")


async def test_tools_streams_a_call_then_answers_its_result(client: openai.AsyncOpenAI) -> None:
    arguments = ""
    stream = await client.chat.completions.create(
        model="fake-tools", messages=[{"role": "user", "content": "weather"}], stream=True
    )
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments += call.function.arguments or "" if call.function else ""
    assert arguments == '{"city":"Paris"}'


async def test_a_client_that_leaves_is_counted(client: openai.AsyncOpenAI, provider: FakeProvider) -> None:
    stream = await client.chat.completions.create(
        model="fake-slow", messages=[{"role": "user", "content": "go"}], stream=True
    )
    async for _ in stream:
        break
    await stream.close()
    async with asyncio.timeout(20):
        while provider.cancelled == 0:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)
    assert provider.counts()["running"] == 0


async def test_embeddings_are_deterministic(client: openai.AsyncOpenAI) -> None:
    first = await client.embeddings.create(model="fake-embed", input=["a b", "c"])
    again = await client.embeddings.create(model="fake-embed", input="a b", encoding_format="float")
    assert len(first.data[0].embedding) == 384
    assert first.data[0].embedding == pytest.approx(again.data[0].embedding, abs=1e-6)
    assert first.usage.prompt_tokens == 3


async def test_the_key_is_required_and_never_shown(provider: FakeProvider) -> None:
    async with make_client() as http:
        base = provider.url.removesuffix("/v1")
        assert (
            await http.post(f"{provider.url}/chat/completions", json={"model": "fake-echo"})
        ).status_code == 401
        await http.get(f"{provider.url}/models", headers={"authorization": f"Bearer {KEY}"})
        seen = (await http.get(f"{base}/_requests")).text
        assert "[redacted]" in seen
        assert KEY not in seen
        assert (await http.get(f"{base}/_dispatches")).json()["dispatches"] == 0


def test_a_script_calls_a_named_tool_for_some_rounds_and_then_says_its_last_result() -> None:
    words = '!call=calculator !args={"expression":"{n}*2"} !rounds=2'
    body: dict[str, Any] = {
        "model": "fake-echo",
        "tools": [{}],
        "messages": [{"role": "user", "content": words}],
    }
    said: list[str] = []
    for number in (1, 2):
        (answer,) = fake_replies.chat(body).pieces
        call = orjson.loads(answer.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["tool_calls"][0]
        said.append(call["function"]["arguments"])
        body["messages"] += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": f"result {number}"},
        ]
    (answer,) = fake_replies.chat(body).pieces
    assert said == ['{"expression":"1*2"}', '{"expression":"2*2"}']
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"] == "result 2"
