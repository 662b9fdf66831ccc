"""No answer takes for ever: a provider that sends a byte now and then keeps the time-out between two pieces
from passing.
"""

import json
from typing import Any

import fake_replies
import httpx
import pytest
from fake_provider import FakeProvider
from fake_replies import Plan
from suite.waiting import eventually

# Half a minute of drops, a hundred times shorter apart than the time that is allowed in all.
DROPS, APART_S, ALLOWED_S = 1500, 0.02, 2
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
REFUSED_HEAD = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
)
COMMENT = b": still here\n\n"


def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return (
        b"data: "
        + json.dumps({"id": "c1", "object": "chat.completion.chunk", "choices": choices}).encode()
        + b"\n\n"
    )


def dripping(head: bytes, *first: bytes, drop: bytes) -> Plan:
    return Plan([head, *first, *[drop] * DROPS], delay_s=APART_S, counts=True)


async def ask(running: Any, *, stream: bool) -> httpx.Response:
    body = {"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return await running.client.post("/v1/chat/completions", json=body)


@pytest.fixture
async def impatient(start: Any, provider: FakeProvider) -> Any:
    async with start(
        openai_api_base_urls=provider.url, stream_timeout_s=ALLOWED_S, answer_timeout_s=ALLOWED_S
    ) as service:
        await service.models_found("fake-echo")
        yield service


@pytest.mark.parametrize(
    "drop", [COMMENT, event({"content": ""}), b":"], ids=["comments", "empty events", "bytes"]
)
async def test_a_stream_that_never_ends_is_ended_and_costs_what_came(
    impatient: Any, billing: Any, provider: FakeProvider, drop: bytes
) -> None:
    provider.scripted = dripping(SSE_HEAD, event({"content": "one two three"}), drop=drop)
    response = await ask(impatient, stream=True)
    assert response.status_code == 200
    assert "one two three" in response.text
    last = response.text.rstrip().rpartition("event: error\ndata: ")[2]
    error = json.loads(last)["error"]
    assert (error["code"], f"within {ALLOWED_S} s" in error["message"]) == ("provider_timeout", True)
    await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert settled["outcome"] == "failed"
    assert settled["usage"]["output_tokens"] >= 3
    assert settled["usage"]["input_tokens"] > 0
    await eventually(lambda: provider.cancelled == 1)


async def test_a_stream_of_which_nothing_can_be_shown_is_refused(
    impatient: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = dripping(SSE_HEAD, drop=b"d")
    response = await ask(impatient, stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
    await eventually(lambda: billing.settled)
    assert billing.only_settlement()["usage"]["output_tokens"] == 0
    await eventually(lambda: provider.cancelled == 1)


async def test_an_answer_that_is_complete_but_for_its_end_is_complete(
    impatient: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = dripping(SSE_HEAD, event({"content": "one"}), event({}, "stop"), drop=COMMENT)
    response = await ask(impatient, stream=True)
    assert response.text.endswith("data: [DONE]\n\n")
    assert "event: error" not in response.text
    assert billing.only_settlement()["outcome"] == "complete"


async def test_an_answer_that_is_not_streamed_and_never_ends_is_refused(
    impatient: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = dripping(JSON_HEAD, drop=b" ")
    response = await ask(impatient, stream=False)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
    assert billing.only_settlement()["outcome"] == "failed"
    await eventually(lambda: provider.cancelled == 1)


async def test_vectors_that_never_come_whole_are_refused(
    impatient: Any, billing: Any, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_replies, "embeddings", lambda _: dripping(JSON_HEAD, drop=b" "))
    response = await impatient.client.post("/v1/embeddings", json={"model": "fake-embed", "input": "one two"})
    assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
    assert billing.only_settlement()["outcome"] == "failed"
    await eventually(lambda: provider.cancelled == 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_not_waited_for_to_its_end(
    impatient: Any, billing: Any, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr("inference_service.providers.transport._REFUSAL_S", 0.5)
    provider.scripted = dripping(REFUSED_HEAD, drop=b" ")
    response = await ask(impatient, stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "provider_error")
    assert provider.completed == 0  # it still sends
    assert not billing.open_holds
