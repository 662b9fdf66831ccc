"""Who leaves an answer pays what the provider bills, as far as that can be known, and never more than was
held.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fake_provider import FakeProvider
from fake_replies import Plan, events_of, whole
from inference_service.metering.estimate import text_tokens
from suite.waiting import eventually

DONE = b"data: [DONE]\n\n"
REPORT = {
    "prompt_tokens": 10,
    "completion_tokens": 5020,
    "total_tokens": 5030,
    "completion_tokens_details": {"reasoning_tokens": 5000},
}


def ask(text: str = "one two three", **members: Any) -> dict[str, Any]:
    return {
        "model": "fake-echo",
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "max_tokens": 10_000,
        **members,
    }


def chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


def usage(report: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c", "choices": [], "usage": report}


async def leave_after(running: Any, body: dict[str, Any], seen: Callable[[str], bool]) -> None:
    """Reads a stream until a line for which `seen` is true, then closes the connection."""
    async with running.client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if seen(line):
                return
    raise AssertionError("the stream ended before that was seen")


async def test_from_the_finish_reason_on_the_providers_own_figures_are_charged(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = events_of(chunk(content="hi"), chunk("stop"), usage(REPORT), DONE, delay_s=0.3)
    await leave_after(running, ask(), lambda line: '"finish_reason":"stop"' in line)
    await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert settled["source"] == "provider"
    assert (settled["usage"]["input_tokens"], settled["usage"]["output_tokens"]) == (10, 20)
    assert settled["usage"]["reasoning_tokens"] == 5000


@pytest.mark.parametrize(
    ("delta", "least"),
    [
        ({"content": "a b c d e f g h i j k l m n o p"}, 16),
        ({"reasoning_content": "thought about it for a while"}, 14),
        ({"some_new_name": "thought about it for a while"}, 14),
        ({"content": [{"type": "text", "text": "thought about it for a while"}]}, 14),
        (
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "x",
                        "function": {"name": "f", "arguments": {"long": "thought about it"}},
                    }
                ]
            },
            14,
        ),
        ({"content": "ሰላም ለሁሉም"}, 10),
    ],
    ids=["packed words", "reasoning", "unknown member", "parts", "arguments as an object", "Ethiopic"],
)
async def test_an_answer_left_in_the_middle_pays_for_all_text_in_it(
    running: Any, billing: Any, provider: FakeProvider, delta: dict[str, Any], least: int
) -> None:
    provider.scripted = events_of(
        chunk(**delta), chunk(content="x"), chunk(content="y"), end="stall", delay_s=0.05
    )
    await leave_after(running, ask(), lambda line: '"content":"x"' in line)
    await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert (settled["source"], settled["outcome"]) == ("partial", "stopped")
    assert settled["usage"]["output_tokens"] >= least
    await eventually(lambda: provider.cancelled == 1)


async def test_who_leaves_never_pays_for_more_than_was_asked_for(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = events_of(chunk(content="incomprehensibilities"), chunk(content="x"), end="stall")
    await leave_after(running, ask(max_tokens=3), lambda line: '"content":"x"' in line)
    await eventually(lambda: billing.settled)
    assert billing.only_settlement()["usage"]["output_tokens"] == 3


async def test_running_totals_are_raised_to_what_was_seen(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    first = {**chunk(content=""), "usage": {"prompt_tokens": 77, "completion_tokens": 1, "total_tokens": 78}}
    provider.scripted = events_of(first, chunk(content="a b c d e f"), chunk(content="x"), end="stall")
    await leave_after(running, ask(), lambda line: '"content":"x"' in line)
    await eventually(lambda: billing.settled)
    used = billing.only_settlement()["usage"]
    assert used["input_tokens"] == 77
    assert used["output_tokens"] >= 6


async def test_an_unstreamed_answer_that_is_left_costs_by_the_time_it_took(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = Plan([], end="stall", counts=True)
    with pytest.raises(httpx.ReadTimeout):
        await running.client.post("/v1/chat/completions", json=ask(stream=False), timeout=2)
    await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert 20 <= settled["usage"]["output_tokens"] <= 200
    assert settled["outcome"] == "stopped"


async def test_an_image_costs_its_listed_size_when_nobody_reports(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    body = ask(messages=[{"role": "user", "content": [{"type": "text", "text": "what is it?"}, image]}])
    provider.scripted = events_of(chunk(content="x"), chunk(content="y"), end="stall")
    await leave_after(running, body, lambda line: '"content":"x"' in line)
    await eventually(lambda: billing.settled)
    assert billing.only_settlement()["usage"]["input_tokens"] >= 1000


@pytest.mark.parametrize("stream", [True, False])
async def test_a_provider_kind_set_to_drain_is_heard_to_the_end(
    start: Any, billing: Any, provider: FakeProvider, stream: bool
) -> None:
    if stream:
        provider.scripted = events_of(
            *[chunk(content=" t")] * 20, chunk("stop"), usage(REPORT), DONE, delay_s=0.03
        )
    else:
        answer = {
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            ],
            "usage": REPORT,
        }
        provider.scripted = Plan([whole(200, json.dumps(answer).encode())], delay_s=0.6, counts=True)
    async with start(openai_api_base_urls=provider.url, drain_provider_kinds="openai") as running:
        await running.models_found("fake-echo")
        if stream:
            await leave_after(running, ask(), lambda line: '" t"' in line)
        else:
            with pytest.raises(httpx.ReadTimeout):
                await running.client.post("/v1/chat/completions", json=ask(stream=False), timeout=0.2)
        await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert settled["source"] == "provider"
    assert settled["usage"]["output_tokens"] + settled["usage"]["reasoning_tokens"] == 5020
    assert (provider.completed, provider.cancelled) == (1, 0)


# --- a provider that does not stop where it was told to


def texts_of(response: httpx.Response) -> tuple[str, list[str | None], list[str]]:
    data = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    events = [json.loads(entry) for entry in data if entry != "[DONE]"]
    choices = [choice for event in events for choice in event["choices"]]
    return (
        "".join(choice["delta"].get("content") or "" for choice in choices),
        [choice["finish_reason"] for choice in choices],
        data,
    )


@pytest.mark.parametrize(
    ("deltas", "granted", "kept"),
    [
        ([f" t{number}" for number in range(400)], 5, 5),
        (["a b c d e f g h i j k l m n o p"] * 30, 40, 32),
        (["x" * 800] * 300, 250, 200),
    ],
    ids=["a token an event", "packed words", "one long word"],
)
async def test_a_stream_is_cut_once_it_passes_its_hold(
    running: Any,
    billing: Any,
    provider: FakeProvider,
    deltas: list[str],
    granted: int,
    kept: int,
) -> None:
    billing.granted_max = granted
    report = {"prompt_tokens": 10, "completion_tokens": 6400, "total_tokens": 6410}
    provider.scripted = events_of(
        *[chunk(content=text) for text in deltas], chunk("stop"), usage(report), DONE, delay_s=0.002
    )
    response = await running.client.post(
        "/v1/chat/completions", json=ask(stream_options={"include_usage": True})
    )
    text, reasons, data = texts_of(response)
    assert text == "".join(deltas[: len(text) // len(deltas[-1])]) or text == "".join(deltas[:granted])
    assert [reason for reason in reasons if reason] == ["length"]
    assert data[-1] == "[DONE]"
    assert billing.only_settlement()["usage"]["output_tokens"] <= granted + (kept if kept != granted else 1)
    assert (
        json.loads(data[-2])["usage"]["completion_tokens"]
        == billing.only_settlement()["usage"]["output_tokens"]
    )
    await eventually(lambda: provider.cancelled == 1)


async def test_an_honest_answer_of_exactly_the_limit_is_not_cut(running: Any, billing: Any) -> None:
    response = await running.client.post("/v1/chat/completions", json=ask("!tokens=7", max_tokens=7))
    text, reasons, _ = texts_of(response)
    assert (len(text.split()), [reason for reason in reasons if reason]) == (7, ["stop"])
    assert billing.only_settlement()["source"] == "provider"


async def test_several_choices_are_charged_by_what_was_seen_when_the_report_counts_one(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    def said(index: int) -> dict[str, Any]:
        return {
            "id": "c",
            "choices": [{"index": index, "delta": {"content": "one two three"}, "finish_reason": "stop"}],
        }

    provider.scripted = events_of(
        said(0), said(1), usage({"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}), DONE
    )
    await running.client.post("/v1/chat/completions", json=ask(n=2))
    used = billing.only_settlement()["usage"]
    assert (used["input_tokens"], used["output_tokens"]) == (4, 6)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_report_of_nothing_makes_no_answer_free(
    running: Any, billing: Any, provider: FakeProvider, stream: bool
) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    if stream:
        provider.scripted = events_of(chunk(content="one two"), chunk("stop"), usage(nothing), DONE)
    else:
        answer = {"choices": [{"message": {"content": "one two"}, "finish_reason": "stop"}], "usage": nothing}
        provider.scripted = Plan([whole(200, json.dumps(answer).encode())])
    await running.client.post("/v1/chat/completions", json=ask(stream=stream))
    used = billing.only_settlement()["usage"]
    assert used["input_tokens"] > 0
    assert used["output_tokens"] >= 2


async def test_usage_after_the_end_mark_is_charged(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    report = b"data: " + json.dumps(usage(REPORT)).encode()
    provider.scripted = events_of(chunk(content="hi"), chunk("stop"), DONE, report, delay_s=0.02)
    response = await running.client.post("/v1/chat/completions", json=ask())
    assert response.text.endswith("data: [DONE]\n\n")
    settled = billing.only_settlement()
    assert (settled["source"], settled["usage"]["reasoning_tokens"]) == ("provider", 5000)


# --- how much of an input is taken for a token


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("word " * 400, 500, 500),
        ("ሀ" * 2000, 4000, 6000),
        ("привет мир " * 100, 900, 1000),
        ("漢字かな" * 100, 400, 800),
        ("हिन्दी" * 100, 600, 1800),
        ("😀" * 100, 200, 400),
    ],
    ids=["English", "Ethiopic", "Cyrillic", "Japanese", "Devanagari", "emoji"],
)
def test_input_is_counted_by_its_script(text: str, least: int, most: int) -> None:
    assert least <= text_tokens(text) <= most


async def test_an_input_in_another_script_is_charged_for_what_it_is(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    provider.scripted = events_of(chunk(content="x"), chunk(content="y"), end="stall")
    await leave_after(running, ask("ሀ" * 2000), lambda line: '"content":"x"' in line)
    await eventually(lambda: billing.settled)
    assert billing.only_settlement()["usage"]["input_tokens"] >= 4000


@pytest.mark.parametrize("stream", [True, False])
async def test_the_providers_id_and_cost_reach_billing_where_it_keeps_books(
    running: Any, billing: Any, provider: FakeProvider, stream: bool
) -> None:
    report = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.0000151}
    if stream:
        first = {**chunk(content="hi"), "id": "gen-1760000000-abc"}
        provider.scripted = events_of(first, chunk("stop"), usage(report), DONE)
    else:
        message = {"role": "assistant", "content": "hi"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = json.dumps({"id": "gen-1760000000-abc", "choices": choices, "usage": report})
        provider.scripted = Plan([whole(200, body.encode())])
    answer = await running.client.post("/v1/chat/completions", json=ask(stream=stream))
    assert answer.status_code == 200
    settled = billing.only_settlement()
    assert (settled["provider_request_id"], settled["provider_cost_nano"]) == ("gen-1760000000-abc", 15_100)


async def test_other_providers_ids_stay_with_them(running: Any, billing: Any, provider: FakeProvider) -> None:
    await running.client.post("/v1/chat/completions", json=ask())
    assert "provider_request_id" not in billing.only_settlement()
