"""What chat and agents read of a completion, over real HTTP."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from fake_provider import FakeProvider, running_provider
from fake_replies import Plan, events_of, whole
from identities import KeyRing, make_principal
from shared.auth.tokens import ServiceTokens
from shared.clients.completions import (
    CompletionRefusedError,
    Completions,
    Dispatched,
    Finished,
    ModelNotReadyError,
    Part,
    RefusalText,
    Text,
    ToolCallPiece,
)
from shared.contracts.chat import MessageUsage
from shared.http import Timeouts, UpstreamPool

DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def provider() -> AsyncGenerator[FakeProvider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def completions(provider: FakeProvider) -> AsyncGenerator[Completions]:
    pool = UpstreamPool()
    tokens = ServiceTokens(signing_key_pem=KeyRing().pem("chat-service"), service="chat-service")
    timeouts = Timeouts(connect_s=5, first_byte_s=5, idle_s=5)
    yield Completions(pool, tokens, base_url=provider.url.removesuffix("/v1"), timeouts=timeouts)
    await pool.aclose()


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


async def parts_of(completions: Completions) -> list[Part]:
    async with aclosing(completions.stream(make_principal(), {"model": "m", "messages": []})) as parts:
        return [part async for part in parts]


async def test_a_stream_is_read_into_typed_parts_and_ends_once(
    completions: Completions, provider: FakeProvider
) -> None:
    call = {
        "index": 0,
        "id": "c",
        "function": {"name": "f", "arguments": {"a": 1}},
        "extra_content": {"google": 1},
    }
    provider.scripted = events_of(
        chunk({"content": "<thi"}), chunk({"content": "nk>hm</think>y"}), (
            b'data: '
            b'{"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n'
        ),
        (
            b'data: '
            b'{"choices":[{"delta":{"content":"\\ude00"}}]}\n\n'
        ), chunk({"refusal": "no"}), chunk({"tool_calls": [call]}),
        chunk({}, "length"), {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4,
        "cost_nano": 5}}, DONE,
    )  # fmt: skip
    assert await parts_of(completions) == [
        Dispatched(None),
        Text(True, "hm"),
        Text(False, "y"),
        Text(False, "😀"),
        RefusalText("no"),
        ToolCallPiece(0, "c", "f", '{"a":1}', {"extra_content": {"google": 1}}),
        Finished("length"),
        MessageUsage(prompt_tokens=3, completion_tokens=4, cost_nano=5),
    ]


async def test_done_without_a_reason_is_a_stop(completions: Completions, provider: FakeProvider) -> None:
    provider.scripted = events_of(chunk({"content": "x"}), DONE)
    assert (await parts_of(completions))[-1] == Finished("stop")


async def test_an_error_in_a_choice_is_a_refusal(completions: Completions, provider: FakeProvider) -> None:
    broken = {
        "choices": [
            {
                "index": 0,
                "delta": {},
                "finish_reason": "error",
                "error": {"code": 529, "message": "overloaded"},
            }
        ]
    }
    provider.scripted = events_of(chunk({"content": "x"}), broken, DONE)
    with pytest.raises(CompletionRefusedError) as refused:
        await parts_of(completions)
    assert refused.value.error.detail == "overloaded"


@pytest.mark.parametrize("code", ["billing_unavailable", "database_down", "inference_unavailable"])
async def test_a_service_that_is_away_asks_to_wait(
    completions: Completions, provider: FakeProvider, code: str
) -> None:
    body = orjson.dumps({"error": {"message": "away", "code": code}})
    provider.scripted = Plan([whole(503, body, extra=b"retry-after: 2\r\n")])
    with pytest.raises(ModelNotReadyError) as waiting:
        await parts_of(completions)
    assert (waiting.value.reason, waiting.value.retry_after_s) == ("service_away", 2.0)


@pytest.mark.parametrize(
    "frame", [b'data: {"error": %s}\n\n', b"event: error\ndata: %s\n\n"], ids=["in a chunk", "as an event"]
)
async def test_an_error_inside_a_stream_can_be_stored_whatever_is_in_it(
    completions: Completions, provider: FakeProvider, frame: bytes
) -> None:
    error = b'{"message": "a \\u0000 b \\ud800' + b"x" * 9_000 + b'", "code": "c\\u0000", "more": "\\u0000"}'
    provider.scripted = events_of(frame % error)
    with pytest.raises(CompletionRefusedError) as refused:
        await parts_of(completions)
    shown = refused.value.error
    assert shown.detail.startswith("a  b \ufffdxx")
    assert len(shown.detail) <= 4_000
    assert (shown.code, shown.extra) == ("c", {"more": ""})


async def test_a_figure_that_no_column_can_hold_is_not_taken(
    completions: Completions, provider: FakeProvider
) -> None:
    usage = {"prompt_tokens": 2**63, "completion_tokens": True, "cost_nano": 5, "remaining_nano": -7}
    provider.scripted = events_of(chunk({"content": "y"}, "stop"), {"choices": [], "usage": usage}, DONE)
    assert (await parts_of(completions))[-1] == MessageUsage(cost_nano=5, remaining_nano=-7)
